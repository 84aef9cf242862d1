//! What every scenario needs: guests, hosts, clients and patience.

mod browser;
mod client;
mod collector;
mod guests;
mod host;
mod kafka;
mod process;
mod prometheus;
mod raw;
mod recorder;
mod redis;
mod services;
mod setup;
mod upstream;
mod wait;

pub(crate) use browser::Browser;
pub(crate) use client::{Answer, Client};
pub(crate) use collector::{Collector, attributes, hex};
pub(crate) use guests::{examples, guest, picture};
pub(crate) use host::Host;
pub(crate) use kafka::{Kafka, Sending, header};
pub(crate) use prometheus::Prometheus;
pub(crate) use raw::Raw;
pub(crate) use recorder::Recorder;
pub(crate) use redis::Redis;
pub(crate) use setup::{Ended, Setup, wfh, wfh_with};
pub(crate) use upstream::Upstream;
pub(crate) use wait::{SLACK, eventually, eventually_within, within};
