//! The demo's stage: a client, the switch and two servers, and what can be done to and seen of them.

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use lb_ebpf::abi::{Counter, map};
use serde_json::Value;
use stickfast_lab::{
    Balancer, Http, Lab, Nginx, Poller, Subject,
    clock::{PATIENCE, now},
    topology::Shape,
    until,
};

use crate::{setup::program, toolchain::output};

/// How many requests show that traffic stays.
const REQUESTS: usize = 20;
/// Between the answer to a request and the next one, while traffic is to move.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Stage {
    // In the order in which they are to go.
    balancer: Balancer,
    servers: BTreeMap<&'static str, Nginx>,
    lab: Lab,
    http: Http,
}

impl Stage {
    /// Builds the network, starts the servers and then the switch, and waits until it serves.
    pub(super) fn set(subject: Subject, configuration: &str) -> Result<Self> {
        let lab = Lab::new(Shape::Segment, 2)?;
        let mut servers = BTreeMap::new();
        for (name, host) in ["s1", "s2"].into_iter().zip(&lab.servers) {
            servers.insert(name, Nginx::new(host, 80)?);
        }
        let balancer = Balancer::start(&lab, subject, configuration)?;
        let http = Http::on(&lab.client);
        Ok(Self { balancer, servers, lab, http })
    }

    /// `server` answers each of some requests.
    pub(super) fn stays(&self, server: &str) -> Result<String> {
        for number in 1..=REQUESTS {
            let answer = self.http.get(&self.url());
            ensure!(
                answer.server() == Some(server),
                "request {number} of {REQUESTS}: {answer}, expected {server}"
            );
        }
        Ok(format!("{REQUESTS} of {REQUESTS} requests were answered by {server}"))
    }

    /// Traffic moves to `server` after `cause`, and stays there.
    pub(super) fn moves(
        &mut self,
        server: &str,
        cause: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<String> {
        let poller = Poller::start(&self.http, &self.url(), 1, PAUSE)?;
        let caused = now();
        cause(self)?;
        until(PATIENCE, &format!("an answer from {server}"), || {
            match poller.samples().into_iter().rfind(|sample| sample.asked > caused) {
                Some(sample) if sample.answer.server() == Some(server) => Ok(()),
                other => Err(other.map(|sample| sample.answer)),
            }
        })?;
        let samples = poller.stop();
        let first = samples.iter().find(|s| s.asked > caused && s.answer.server() == Some(server));
        let first =
            first.with_context(|| format!("no answer from {server}"))?.answered.duration_since(caused);
        let failed = samples.iter().filter(|sample| sample.answer.server().is_none()).count();
        let stays = self.stays(server)?;
        Ok(format!(
            "first answer from {server} after {} ms; {failed} of {} requests failed before it\n{stays}",
            first.as_millis(),
            samples.len()
        ))
    }

    pub(super) fn kill(&mut self, server: &str) -> Result<()> {
        self.server(server)?.kill()
    }

    /// Starts `server` again and waits until its checks pass.
    pub(super) fn revive(&mut self, server: &str) -> Result<String> {
        let begun = now();
        self.server(server)?.start()?;
        self.balancer.wait_until_up(server, true)?;
        Ok(format!("{server} is up after {} ms", begun.elapsed().as_millis()))
    }

    pub(super) fn kill_daemon(&mut self) -> Result<()> {
        self.balancer.kill()
    }

    pub(super) fn start_daemon(&mut self) -> Result<()> {
        self.balancer.launch()
    }

    /// Gives an order over the stats socket; one that is obeyed is not answered.
    pub(super) fn order(&self, command: &str) -> Result<()> {
        let answer = self.balancer.ctl(command)?;
        ensure!(answer.trim().is_empty(), "{command:?} was answered {:?}", answer.trim());
        Ok(())
    }

    /// The stick table has one entry, of the VIP, with `server`.
    pub(super) fn table_names(&self, server: &str) -> Result<String> {
        let table = self.balancer.ctl("show table bk_app")?;
        let (key, id) = (format!("key={} ", self.lab.vip()), server.replacen('s', "server_id=", 1));
        let entries: Vec<&str> = table.lines().filter(|line| line.contains("key=")).collect();
        match *entries.as_slice() {
            [entry] if entry.contains(&key) && entry.split(' ').any(|word| word == id) => {
                Ok(table.trim().into())
            }
            _ => bail!("expected one entry with {key}and {id}, seen {table:?}"),
        }
    }

    /// The XDP program's stick table has one entry, of the VIP.
    pub(super) fn stick_map(&self) -> Result<String> {
        let entries = self.dump(map::STICK_TABLE)?;
        let used: Vec<&Value> = entries.iter().filter(|entry| number(entry, "/value/used") == 1).collect();
        let [entry] = *used.as_slice() else { bail!("{} entries are used, expected 1", used.len()) };
        let value = entry.get("value").context("the entry has no value")?;
        let address = self.lab.vip().octets().map(|byte| byte.to_string()).join(",");
        ensure!(value.to_string().contains(&address), "expected [{address}] in {value}");
        Ok(format!("{}: {value}", map::STICK_TABLE))
    }

    /// The XDP program's counters, by reason.
    pub(super) fn counters(&self) -> Result<String> {
        let counters = self.dump(map::COUNTERS)?;
        let packets = |counter: Counter| -> u64 {
            let of = counters.iter().find(|entry| number(entry, "/key") == u64::from(counter.index()));
            let each = of.and_then(|entry| entry.get("values")?.as_array()).into_iter().flatten();
            each.map(|of_cpu| number(of_cpu, "/value/packets")).sum()
        };
        ensure!(packets(Counter::ForwardedSnat) > 0 && packets(Counter::RepliedSnat) > 0, "{counters:?}");
        let named = Counter::ALL.into_iter().map(|(counter, name)| (packets(counter), name));
        let lines: Vec<String> = named
            .filter(|&(packets, _)| packets > 0)
            .map(|(packets, name)| format!("{packets:8} {name}"))
            .collect();
        Ok(lines.join("\n"))
    }

    /// What bpftool shows of a pinned map, by the types that the program declares.
    fn dump(&self, name: &str) -> Result<Vec<Value>> {
        let bpftool = program("bpftool").context("bpftool is not installed")?;
        let path = self.balancer.pins().join(name);
        let dump = output(Command::new(bpftool).args(["-j", "map", "dump", "pinned"]).arg(&path))
            .with_context(|| format!("cannot dump {}", path.display()))?;
        let entries: Vec<Value> = serde_json::from_str(&dump)?;
        let formatted = entries.into_iter().map(|mut entry| entry.get_mut("formatted").map(Value::take));
        formatted.collect::<Option<_>>().with_context(|| format!("the map {name} has no types"))
    }

    fn server(&mut self, name: &str) -> Result<&mut Nginx> {
        self.servers.get_mut(name).with_context(|| format!("there is no server {name}"))
    }

    fn url(&self) -> String {
        format!("http://{}/", self.lab.vip())
    }
}

/// The number at `path` in `value`, 0 if there is none.
fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}
