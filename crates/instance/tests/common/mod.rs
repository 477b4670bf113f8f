//! What the tests of documents share: pinned randomness, services that answer from a
//! description, and a description as an instance.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod case;
pub(crate) mod compare;

use std::io;

use christen_instance::inputs::{
    RandomSource, VendorDataFailure, VendorDataRequest, VendorDataService,
};
use christen_instance::{Context, Instance, OpenStack, Settings, Value};

/// The vectors' pin: byte i of every draw is i modulo 256.
#[derive(Default)]
pub(crate) struct Pinned {
    /// Lengths of the draws so far.
    pub(crate) draws: Vec<usize>,
}

impl RandomSource for Pinned {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.draws.push(buffer.len());
        for (byte, value) in buffer.iter_mut().zip((0..=255).cycle()) {
            *byte = value;
        }
        Ok(())
    }
}

/// Services that answer as a case says (`vendordata_services`).
#[derive(Default)]
pub(crate) struct Scripted {
    /// Answers by address.
    pub(crate) answers: Vec<(String, Value)>,
    /// What was asked so far.
    pub(crate) requests: Vec<VendorDataRequest>,
}

impl VendorDataService for Scripted {
    fn ask(&mut self, request: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        self.requests.push(request.clone());
        let answer = self
            .answers
            .iter()
            .find_map(|(url, answer)| (*url == request.url).then_some(answer));
        let failed = |reason: &str| VendorDataFailure {
            reason: reason.to_owned(),
        };
        let Some(answer) = answer else {
            return Err(failed("no such service in this test"));
        };
        match answer.get("text").and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(failed(
                answer
                    .get("error")
                    .and_then(Value::as_str)
                    .unwrap_or("unknown"),
            )),
        }
    }
}

/// The outer world of one rendering.
#[derive(Default)]
pub(crate) struct World {
    /// Options.
    pub(crate) settings: Settings,
    /// Nova's ways.
    pub(crate) like_nova: bool,
    /// Randomness.
    pub(crate) random: Pinned,
    /// Services.
    pub(crate) services: Scripted,
}

impl World {
    /// A renderer in this world.
    pub(crate) fn renderer<'a>(&'a mut self, instance: &'a Instance) -> OpenStack<'a> {
        OpenStack::new(
            instance,
            Context {
                settings: &self.settings,
                like_nova: self.like_nova,
                random: &mut self.random,
                vendordata: &mut self.services,
            },
        )
    }
}
