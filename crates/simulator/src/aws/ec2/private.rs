//! Private addresses of instances: each is one instance's at a time, until that is terminated.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use super::{INSTANCES, network::block};
use crate::{
    aws::{ask::Ask, protocol::Refusal},
    estate::Estate,
};

/// Whose numbers these are, in the estate.
fn pool(ask: &Ask<'_>, subnet: &str) -> String {
    format!("{}/{}/{subnet}", ask.owner(), ask.place())
}

/// Whether an instance has its address still; also one that is not seen yet.
fn holds(ask: &Ask<'_>, estate: &Estate, instance: &str) -> bool {
    let found = estate.present(ask.owner(), INSTANCES, ask.place(), instance);
    found.is_some_and(|instance| instance.state(ask.now) != "terminated")
}

/// The addresses of a subnet that instances may have: AWS keeps the first four and the last.
fn range(cidr: &str) -> RangeInclusive<u32> {
    let (first, bits) = block(cidr).unwrap_or((0x0a00_0000, 24));
    first + 4..=first + (u32::MAX >> bits) - 1
}

/// Addresses for as many instances as are wanted at most, and for at least as many as must be: the one that is asked
/// for, or free ones.
pub(super) fn choose(
    ask: &Ask<'_>,
    estate: &Estate,
    (subnet, cidr): (&str, &str),
    (least, most): (u64, u64),
) -> Result<Vec<Ipv4Addr>, Refusal> {
    let range = range(cidr);
    let pool = pool(ask, subnet);
    if let Some(asked) = ask.text("PrivateIpAddress") {
        let address = explicit(ask, asked, &range)?;
        let number = address.to_bits();
        if estate.free_numbers(&pool, number..=number, 1, |id| holds(ask, estate, id)).is_empty() {
            return Err(Refusal::new("InvalidIPAddress.InUse", format!("Address {asked} is in use.")));
        }
        return Ok(vec![address]);
    }
    let count = usize::try_from(most).unwrap_or(usize::MAX);
    let free = estate.free_numbers(&pool, range, count, |id| holds(ask, estate, id));
    if (free.len() as u64) < least {
        let message = format!(
            "There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of instances."
        );
        return Err(Refusal::new("InsufficientFreeAddressesInSubnet", message));
    }
    Ok(free.into_iter().map(Ipv4Addr::from_bits).collect())
}

fn explicit(ask: &Ask<'_>, asked: &str, range: &RangeInclusive<u32>) -> Result<Ipv4Addr, Refusal> {
    if ask.number("MaxCount").unwrap_or(1) > 1 {
        let message = "A private IP address can only be specified for a single instance.";
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    let parsed = asked.parse::<Ipv4Addr>().ok();
    parsed.filter(|address| range.contains(&address.to_bits())).ok_or_else(|| {
        let message = format!("Address {asked} does not fall within the subnet's address range");
        Refusal::new("InvalidParameterValue", message)
    })
}

/// Gives an address to an instance.
pub(super) fn take(ask: &Ask<'_>, estate: &mut Estate, subnet: &str, address: Ipv4Addr, instance: &str) {
    estate.hold(&pool(ask, subnet), address.to_bits(), instance);
}

/// How many addresses of a subnet are used.
pub(super) fn used(ask: &Ask<'_>, estate: &Estate, subnet: &str) -> u32 {
    let used = estate.held_numbers(&pool(ask, subnet), |id| holds(ask, estate, id));
    u32::try_from(used).unwrap_or(u32::MAX)
}
