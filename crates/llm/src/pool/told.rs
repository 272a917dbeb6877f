//! Tells an observer of a call, also of one that is given up.

use fleet_deliberation::{Generation, Timestamp};
use fleet_orchestrator::port::{Called, ModelError, ModelRequest};

use super::World;

/// A call under way; dropped without an end, it was given up.
pub(crate) struct Telling<'a> {
    world: &'a World,
    request: &'a ModelRequest,
    server: &'a str,
    nth: u32,
    hedge: bool,
    started_at: Timestamp,
    told: bool,
}

impl<'a> Telling<'a> {
    pub(crate) fn begin(
        world: &'a World,
        request: &'a ModelRequest,
        server: &'a str,
        nth: u32,
        hedge: bool,
    ) -> Telling<'a> {
        Telling { world, request, server, nth, hedge, started_at: world.clock.now(), told: false }
    }

    pub(crate) fn end(mut self, came_of_it: Result<&Generation, &ModelError>) {
        self.tell(Some(came_of_it));
    }

    fn tell(&mut self, came_of_it: Option<Result<&Generation, &ModelError>>) {
        self.told = true;
        self.world.observer.called(&Called {
            request: self.request,
            server: self.server,
            nth: self.nth,
            hedge: self.hedge,
            started_at: self.started_at,
            ended_at: self.world.clock.now(),
            came_of_it,
        });
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(None);
        }
    }
}
