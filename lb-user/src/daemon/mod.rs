//! The daemon: a loop that waits, tells the director, and carries out what it decides.
//!
//! All state is owned by the loop; checks, sockets and netlink are tasks that send it messages.

mod error;
mod network;
mod state;
mod subject;

pub use error::RunError;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::state::State;
use crate::{
    clock::Clock,
    config::model::Config,
    datapath::{Datapath, Readiness},
    net::NextHops,
    runtime::{self, Limits, Sockets},
};

/// How `stickfast run` was called, besides the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Interfaces to serve; empty: those of the configuration, or those over which VIPs and servers are reached.
    pub interfaces: Vec<String>,
    /// Where maps and links are pinned.
    pub pin_path: PathBuf,
    /// Log every packet.
    pub trace: bool,
}

/// How often the daemon looks whether the data path moved a stick entry: the event that tells of it may be lost
/// when the ring is full.
const LOOK: Duration = Duration::from_secs(1);

/// Messages that may wait for the loop before their senders do.
const QUEUE: usize = 256;

/// Serves until a signal ends it. Forwarding goes on after that.
///
/// # Errors
/// Whatever keeps it from starting; then nothing is left attached or pinned that was not there before.
pub async fn run(config: Config, options: &Options) -> Result<(), RunError> {
    let clock = Clock::start();
    // Before anything is touched: a signal during the start must end it orderly too.
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;

    let attachments = network::attachments(&config, &options.interfaces).await?;
    let tuning = network::tuning(&config, options.trace)?;
    let sockets = Sockets::bind(&runtime::stats_sockets(&config.global))?;
    let datapath = Datapath::load(&options.pin_path, &attachments, &tuning)?;
    let events = Readiness::of(datapath.events()).map_err(RunError::Events)?;

    let config = Arc::new(config);
    let (reports, mut checked) = mpsc::channel(QUEUE);
    let checks = TaskTracker::new();
    let mut state = State::new(Arc::clone(&config), clock, datapath, reports, checks)?;
    let (_next_hops, mut changes) = NextHops::start(network::server_addresses(&config))?;
    // Last of all that can fail: a start that did not succeed has touched no packet.
    state.attach(&attachments)?;
    network::warn_of_lost_redirects(&attachments).await;

    let (requests, mut asked) = mpsc::channel(QUEUE);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(runtime::serve(sockets, requests, Limits::default(), stop.clone()));
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);

    state.handle_timeout();
    loop {
        let timeout = state.poll_timeout().map(|moment| clock.instant(moment).into());
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(event) = checked.recv() => state.handle_event(event),
            Some(change) = changes.recv() => state.next_hop_changed(&change),
            Some(request) = asked.recv() => request.serve(&mut state),
            result = events.wait() => {
                result.map_err(RunError::Events)?;
                state.data_path_events();
            }
            _ = look.tick() => state.look_at_stick_entries(),
            () = sleep_until(timeout.unwrap_or_else(|| look_forever(clock))), if timeout.is_some() => {
                state.handle_timeout();
            }
        }
    }
    stop.cancel();
    if let Err(error) = serving.await {
        tracing::warn!(%error, "the stats sockets did not close orderly");
    }
    tracing::info!(
        "Exiting. Forwarding goes on as it is; `stickfast detach --pin-path {}` ends it.",
        options.pin_path.display()
    );
    Ok(())
}

/// Only asked for when nothing is waited for, and then never awaited.
fn look_forever(clock: Clock) -> tokio::time::Instant {
    clock.instant(clock.now()).into()
}
