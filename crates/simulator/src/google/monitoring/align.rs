//! Monitoring's arithmetic: a series of samples brought to a regular period, and several series made one.

use chrono::{DateTime, TimeDelta, Utc};

/// A sample, or what was made of several: its time (the end of its span) and value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When the span ends.
    pub at: DateTime<Utc>,
    /// The value.
    pub value: f64,
}

/// How the samples of one series in one period become one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aligner {
    /// They are left as they are.
    None,
    /// The mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The sum.
    Sum,
    /// How many there are.
    Count,
    /// The last.
    NextOlder,
    /// The standard deviation.
    Deviation,
    /// The sum by second; of a metric that counts.
    Rate,
    /// A percentile, 0 to 100.
    Percentile(f64),
}

impl Aligner {
    /// The aligner or reducer of a name without its `ALIGN_` or `REDUCE_`; none if it is not one of these.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "" | "NONE" => Self::None,
            "MEAN" => Self::Mean,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            // The samples of a counting metric are differences already.
            "SUM" | "DELTA" => Self::Sum,
            "COUNT" => Self::Count,
            "NEXT_OLDER" => Self::NextOlder,
            "STDDEV" => Self::Deviation,
            "RATE" => Self::Rate,
            "PERCENTILE_99" => Self::Percentile(99.0),
            "PERCENTILE_95" => Self::Percentile(95.0),
            "PERCENTILE_50" => Self::Percentile(50.0),
            "PERCENTILE_05" => Self::Percentile(5.0),
            _ => return None,
        })
    }

    /// Whether the value of an integer metric stays an integer.
    pub fn keeps_type(self) -> bool {
        matches!(self, Self::None | Self::Min | Self::Max | Self::Sum | Self::Count | Self::NextOlder)
    }

    /// One value of samples in the order of time; none of no sample.
    #[expect(clippy::cast_precision_loss, reason = "counts of samples are small")]
    pub fn of(self, values: &[f64], period: TimeDelta) -> Option<f64> {
        let last = *values.last()?;
        let count = values.len() as f64;
        let sum: f64 = values.iter().sum();
        Some(match self {
            Self::Mean => sum / count,
            Self::Min => values.iter().copied().fold(last, f64::min),
            Self::Max => values.iter().copied().fold(last, f64::max),
            Self::Sum => sum,
            Self::Count => count,
            Self::None | Self::NextOlder => last,
            Self::Deviation => {
                let mean = sum / count;
                (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
            }
            Self::Rate => sum / (period.num_milliseconds() as f64 / 1e3),
            Self::Percentile(share) => percentile(values, share),
        })
    }
}

/// By linear interpolation between the closest ranks.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank lies between 0 and the count of samples"
)]
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = share / 100.0 * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

/// The ends of the periods of an interval, the latest first: they are counted back from its end.
pub fn ends(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    period: TimeDelta,
) -> impl Iterator<Item = DateTime<Utc>> {
    let before = move |end: &DateTime<Utc>| end.checked_sub_signed(period).filter(|before| before < end);
    std::iter::successors(Some(until), before).take_while(move |end| *end > from)
}

/// Several aligned series made one: at each time that any of them has, the values of all that have it.
pub fn reduce(series: &[Vec<Point>], reducer: Aligner, period: TimeDelta) -> Vec<Point> {
    let mut all: Vec<Point> = series.iter().flatten().copied().collect();
    // The sort is stable: the values of one time stay in the order of their series.
    all.sort_by_key(|point| std::cmp::Reverse(point.at));
    let value = |points: &[Point]| {
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let at = points.first()?.at;
        reducer.of(&values, period).map(|value| Point { at, value })
    };
    all.chunk_by(|a, b| a.at == b.at).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn samples_become_one_value() {
        let minute = TimeDelta::minutes(1);
        let values = [3.0, 1.0, 2.0];
        let of = |name| Aligner::named(name).and_then(|aligner| aligner.of(&values, minute)).unwrap();
        for (name, wanted) in
            [("MEAN", 2.0), ("MIN", 1.0), ("MAX", 3.0), ("SUM", 6.0), ("COUNT", 3.0), ("NEXT_OLDER", 2.0)]
        {
            assert!((of(name) - wanted).abs() < 1e-9, "{name}");
        }
        assert!((of("PERCENTILE_95") - 2.9).abs() < 1e-9);
        assert!((of("RATE") - 0.1).abs() < 1e-9);
        assert_eq!(Aligner::Mean.of(&[], minute), None);
        assert_eq!(Aligner::named("FRACTION_TRUE"), None);
    }

    #[test]
    fn periods_are_counted_back_from_the_end() {
        let ends = |from, period| super::ends(from, at(150), period).collect::<Vec<_>>();
        assert_eq!(ends(at(0), TimeDelta::seconds(60)), [at(150), at(90), at(30)]);
        for period in [TimeDelta::MAX, TimeDelta::zero()] {
            assert_eq!(ends(DateTime::<Utc>::MIN_UTC, period), [at(150)]);
        }
    }

    #[test]
    fn series_are_reduced_time_by_time() {
        let point = |seconds, value| Point { at: at(seconds), value };
        let series = [vec![point(60, 1.0), point(0, 3.0)], vec![point(60, 5.0)]];
        let sum = reduce(&series, Aligner::Sum, TimeDelta::minutes(1));
        assert_eq!(sum, [point(60, 6.0), point(0, 3.0)]);
    }
}
