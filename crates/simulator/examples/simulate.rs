//! A simulator to try by hand: `cargo run -p marquee-simulator --example simulate -- [world] [port]`.

#![expect(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use marquee_simulator::{Options, Simulator, world::built_in};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let world = arguments.next().unwrap_or_else(|| "wedding-season".to_owned());
    let mut options = Options::new(built_in(&world)?);
    options.port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let simulator = Simulator::start(options).await?;
    println!("{}", serde_json::to_string_pretty(simulator.addresses())?);
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}
