//! Keeps the next hop of every server fresh.
//!
//! One task owns all of it. Notifications say *where* to look, never what to believe: each time the task
//! reads the route and the neighbour again and compares with what it told last. So losing, reordering or
//! repeating notifications changes nothing but the time of the next look.

use super::{
    Mac, NetError, Unresolved,
    link::{self, Link},
    neighbour::{self, Neighbour, Trust},
    netlink::Netlink,
    notifications::{Notice, Notifications},
    route,
};
use futures_util::FutureExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    net::IpAddr,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// What a frame towards an address needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the interface that it leaves by.
    pub interface: u32,
    /// Ours: that interface's.
    pub source_mac: Mac,
    /// The gateway's, or the address's own where there is none.
    pub destination_mac: Mac,
    /// The address that SNAT puts in.
    pub source: IpAddr,
}

/// The next hop of an address is another one than before, or is known for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub address: IpAddr,
    pub next_hop: Result<NextHop, Unresolved>,
}

/// The watcher; it ends when this is dropped.
///
/// Nothing here sends packets: a missing or doubtful neighbour is resolved by the kernel, which is asked
/// again after 1 s, 2 s … up to 10 s while there is no answer.
#[derive(Debug)]
pub struct NextHops {
    wanted: watch::Sender<BTreeSet<IpAddr>>,
    _task: AbortOnDropHandle<()>,
}

impl NextHops {
    /// Starts to watch the next hops of `addresses` in the calling thread's network namespace. Each
    /// address's first [`Change`] comes as soon as the kernel has been asked, resolved or not.
    ///
    /// A receiver that does not read delays the watcher, which then reports the latest state only.
    pub fn start(addresses: BTreeSet<IpAddr>) -> Result<(Self, mpsc::Receiver<Change>), NetError> {
        let (wanted, asked_for) = watch::channel(addresses);
        let (changes, receiver) = mpsc::channel(CHANNEL_CHANGES);
        let watcher = Watcher {
            netlink: Netlink::open()?,
            // Before anything is read, so that no change falls between.
            notifications: Notifications::subscribe()?,
            wanted: asked_for,
            changes,
            links: BTreeMap::new(),
            tracked: BTreeMap::new(),
            stale: Stale::Everything,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(watcher.run()));
        Ok((Self { wanted, _task: task }, receiver))
    }

    /// Watches these addresses from now on, and no others. What is known of those that stay is kept.
    pub fn watch(&self, addresses: BTreeSet<IpAddr>) {
        self.wanted.send_replace(addresses);
    }
}

const CHANNEL_CHANGES: usize = 64;
/// Routes and links change in bursts; one look covers them.
const SETTLE: Duration = Duration::from_millis(10);
/// Everything is read again this often, whether or not there were notifications.
const REFRESH: Duration = Duration::from_secs(30);
/// Pause between attempts to resolve a neighbour, or to ask a kernel that failed us; doubles up to the second.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(10);

struct Watcher {
    netlink: Netlink,
    notifications: Notifications,
    wanted: watch::Receiver<BTreeSet<IpAddr>>,
    changes: mpsc::Sender<Change>,
    links: BTreeMap<u32, Link>,
    tracked: BTreeMap<IpAddr, Tracked>,
    stale: Stale,
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Tracked {
    /// As told last.
    told: Option<Result<NextHop, Unresolved>>,
    /// Interface and address of the neighbour that it depends on.
    neighbour: Option<(u32, IpAddr)>,
    backoff: Backoff,
    /// When to look again unasked.
    look_at: Option<Instant>,
}

/// Spaces out what is tried again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Backoff {
    attempts: u32,
    /// No further attempt before this.
    until: Option<Instant>,
}

impl Backoff {
    fn is_over(self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn attempt(&mut self, now: Instant) {
        let pause = RETRY_MIN.saturating_mul(1 << self.attempts.min(16)).min(RETRY_MAX);
        *self = Self { attempts: self.attempts.saturating_add(1), until: Some(now + pause) };
    }
}

/// What has to be looked at again.
#[derive(Debug)]
enum Stale {
    Addresses(BTreeSet<IpAddr>),
    Everything,
}

/// Nobody listens any more.
struct Closed;

/// One look at the kernel's tables.
struct Look {
    next_hop: Result<NextHop, Unresolved>,
    neighbour: Option<(u32, IpAddr, Trust)>,
}

impl Watcher {
    async fn run(mut self) {
        let mut refresh_at = Instant::now() + REFRESH;
        // Ends when either end of a channel is gone.
        while self.look_again().await.is_ok() {
            let look_at = self.tracked.values().filter_map(|tracked| tracked.look_at).min();
            tokio::select! {
                changed = self.wanted.changed() => match changed {
                    Ok(()) => self.stale = Stale::Everything,
                    Err(_closed) => return,
                },
                notice = self.notifications.next() => self.take(notice).await,
                () = until(look_at) => self.mark_due(),
                () = sleep_until(refresh_at) => self.stale = Stale::Everything,
            }
            if matches!(self.stale, Stale::Everything) {
                refresh_at = Instant::now() + REFRESH;
            }
        }
    }

    /// Notes what `notice` touches, and all that are already waiting behind it.
    async fn take(&mut self, notice: Notice) {
        self.note(notice);
        if matches!(self.stale, Stale::Everything) {
            sleep(SETTLE).await;
        }
        while let Some(notice) = self.notifications.next().now_or_never() {
            self.note(notice);
        }
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Everything => self.stale = Stale::Everything,
            Notice::Neighbour(interface, address) => {
                let touched = |tracked: &Tracked| tracked.neighbour == Some((interface, address));
                self.mark(touched);
            }
        }
    }

    fn mark_due(&mut self) {
        let now = Instant::now();
        self.mark(|tracked| tracked.look_at.is_some_and(|at| at <= now));
    }

    fn mark(&mut self, which: impl Fn(&Tracked) -> bool) {
        if let Stale::Addresses(stale) = &mut self.stale {
            stale.extend(
                self.tracked.iter().filter(|(_, tracked)| which(tracked)).map(|(address, _)| *address),
            );
        }
    }

    /// Looks at whatever is stale and tells what has changed.
    async fn look_again(&mut self) -> Result<(), Closed> {
        let stale = match std::mem::replace(&mut self.stale, Stale::Addresses(BTreeSet::new())) {
            Stale::Addresses(stale) => stale,
            Stale::Everything => match link::list(&self.netlink).await {
                Ok(links) => {
                    self.links = links.into_iter().map(|link| (link.index, link)).collect();
                    let wanted = self.wanted.borrow_and_update().clone();
                    self.tracked.retain(|address, _| wanted.contains(address));
                    wanted
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot watch next hops: trying again");
                    sleep(RETRY_MIN).await;
                    self.stale = Stale::Everything;
                    return Ok(());
                }
            },
        };
        for address in stale {
            self.look_at(address).await?;
        }
        Ok(())
    }

    async fn look_at(&mut self, address: IpAddr) -> Result<(), Closed> {
        let look = self.resolve(address).await;
        let now = Instant::now();
        let tracked = self.tracked.entry(address).or_default();
        let Look { next_hop, neighbour } = match look {
            Ok(look) => look,
            Err(error) => {
                tracing::warn!(%address, %error, "cannot find the next hop: trying again");
                tracked.backoff.attempt(now);
                tracked.look_at = tracked.backoff.until;
                return Ok(());
            }
        };
        let depends_on = neighbour.map(|(interface, neighbour, _)| (interface, neighbour));
        if tracked.neighbour != depends_on {
            (tracked.neighbour, tracked.backoff) = (depends_on, Backoff::default());
        }
        tracked.look_at = None;
        match neighbour {
            Some((interface, neighbour, Trust::Doubtful)) => {
                if tracked.backoff.is_over(now) {
                    tracked.backoff.attempt(now);
                    if let Err(error) = neighbour::ask(&self.netlink, interface, neighbour).await {
                        tracing::warn!(%address, %error, "cannot make the kernel resolve the next hop");
                    }
                }
                tracked.look_at = tracked.backoff.until;
            }
            // The kernel will notify.
            Some((_, _, Trust::Asking)) => {}
            Some((_, _, Trust::Sure)) | None => tracked.backoff = Backoff::default(),
        }
        if tracked.told.as_ref() == Some(&next_hop) {
            return Ok(());
        }
        tracked.told = Some(next_hop.clone());
        self.changes.send(Change { address, next_hop }).await.map_err(|_unread| Closed)
    }

    async fn resolve(&self, address: IpAddr) -> Result<Look, NetError> {
        let unresolved = |why| Ok(Look { next_hop: Err(why), neighbour: None });
        let route = match route::get(&self.netlink, address).await {
            Ok(route) => route,
            Err(NetError::Unresolved(why)) => return unresolved(why),
            Err(error) => return Err(error),
        };
        // Absent if the interface came or went a moment ago; its notification is on the way.
        let Some(link) = self.links.get(&route.interface) else {
            return unresolved(Unresolved::NoRoute { address });
        };
        if !link.up {
            return unresolved(Unresolved::LinkDown { address, interface: link.name.clone() });
        }
        if !link.ethernet {
            return unresolved(Unresolved::NotEthernet { address, interface: link.name.clone() });
        }
        let neighbour = route.gateway.unwrap_or(address);
        let Neighbour { mac, trust } = neighbour::get(&self.netlink, link.index, neighbour).await?;
        let next_hop = mac.map(|destination_mac| NextHop {
            interface: link.index,
            source_mac: link.mac,
            destination_mac,
            source: route.source,
        });
        let unknown = || Unresolved::NoNeighbour { address, neighbour, interface: link.name.clone() };
        Ok(Look { next_hop: next_hop.ok_or_else(unknown), neighbour: Some((link.index, neighbour, trust)) })
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attempts_are_spaced_out_up_to_ten_seconds() {
        let start = Instant::now();
        let (mut now, mut backoff, mut pauses) = (start, Backoff::default(), Vec::new());
        assert!(backoff.is_over(now));
        for _ in 0..40 {
            backoff.attempt(now);
            let until = backoff.until.unwrap();
            assert!(!backoff.is_over(now) && backoff.is_over(until));
            pauses.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(pauses[..6], [1, 2, 4, 8, 10, 10]);
        assert_eq!(pauses.last(), Some(&10));
    }
}
