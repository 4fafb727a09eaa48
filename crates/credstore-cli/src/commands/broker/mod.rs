//! `credstore broker`: values for other processes of this machine, and what its owner does with it.

mod asked;
mod notify;
mod run;

use clap::{Args, Subcommand};

use crate::errors::CliError;
use crate::output::Output;
use crate::world::World;

/// Values for other processes of this machine, over a Unix socket
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore broker run --socket /run/credstore/broker.sock"
)]
pub(crate) struct Broker {
    #[command(subcommand)]
    command: BrokerCommand,
}

#[derive(Subcommand, Debug)]
enum BrokerCommand {
    Run(run::Run),
    Status(asked::Status),
    Stop(asked::Stop),
    Reload(asked::Reload),
    Cache(asked::Cache),
}

impl Broker {
    /// Whether this is the broker itself.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.command, BrokerCommand::Run(_))
    }

    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            BrokerCommand::Run(command) => command.run(world, out).await,
            BrokerCommand::Status(command) => command.run(world, out).await,
            BrokerCommand::Stop(command) => command.run(world, out).await,
            BrokerCommand::Reload(command) => command.run(world, out).await,
            BrokerCommand::Cache(command) => command.run(world, out).await,
        }
    }
}
