//! AND, OR and NOT over leaves of any kind: the shape that written and checked filters share.

use std::fmt::{self, Display, Formatter};

/// A filter over leaves `L`.
///
/// As [`parse`](super::parse), [`Tree::all`] and [`Tree::any`] make it, a list is flat and never of one: an
/// `And` holds no `And`, an `Or` no `Or`, and both hold at least two. The one exception is the empty filter,
/// which lets everything pass: an `And` of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<L> {
    /// All of these hold.
    And(Vec<Self>),
    /// At least one of these holds.
    Or(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// One comparison.
    Leaf(L),
}

impl<L> Tree<L> {
    /// Holds where all of `parts` hold; always, if there are none.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        alone(flat).unwrap_or_else(Self::And)
    }

    /// Holds where any of `parts` holds; never, if there are none.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        alone(flat).unwrap_or_else(Self::Or)
    }

    /// Whether this is the empty filter, which lets everything pass.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// The leaves, in the order of the text.
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            Self::Leaf(leaf) => vec![leaf],
        }
    }

    /// The same tree over other leaves, or the first refusal of one.
    pub fn try_map<M, E>(&self, leaf: &mut impl FnMut(&L) -> Result<M, E>) -> Result<Tree<M>, E> {
        Ok(match self {
            Self::And(parts) => {
                Tree::And(parts.iter().map(|part| part.try_map(leaf)).collect::<Result<_, _>>()?)
            }
            Self::Or(parts) => {
                Tree::Or(parts.iter().map(|part| part.try_map(leaf)).collect::<Result<_, _>>()?)
            }
            Self::Not(part) => Tree::Not(Box::new(part.try_map(leaf)?)),
            Self::Leaf(inner) => Tree::Leaf(leaf(inner)?),
        })
    }

    /// Whether the filter holds, given which of its leaves do.
    pub fn holds(&self, leaf: &mut impl FnMut(&L) -> bool) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(leaf)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(leaf)),
            Self::Not(part) => !part.holds(leaf),
            Self::Leaf(inner) => leaf(inner),
        }
    }
}

/// The one element of a list of one.
fn alone<T>(mut list: Vec<T>) -> Result<T, Vec<T>> {
    if list.len() == 1 { list.pop().ok_or(list) } else { Err(list) }
}

/// Prints with no more parentheses than were needed to write it, so that what was short and shallow enough
/// to be parsed is shallow enough to be parsed again.
impl<L: Display> Display for Tree<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => join(parts, " AND ", f, |_| false),
            Self::Or(parts) => join(parts, " OR ", f, |part| matches!(part, Self::And(_) | Self::Or(_))),
            Self::Not(part) if matches!(**part, Self::Leaf(_)) => write!(f, "NOT {part}"),
            Self::Not(part) => write!(f, "NOT ({part})"),
            Self::Leaf(leaf) => leaf.fmt(f),
        }
    }
}

fn join<L: Display>(
    parts: &[Tree<L>],
    between: &str,
    f: &mut Formatter<'_>,
    grouped: fn(&Tree<L>) -> bool,
) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { between })?;
        if grouped(part) {
            write!(f, "({part})")?;
        } else {
            part.fmt(f)?;
        }
    }
    Ok(())
}
