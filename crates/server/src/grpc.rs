//! `orchestrator.v1.OrchestratorService`.

mod answer;
mod ask;
mod council_settings;
pub mod councils;
mod figures;
mod history;
mod orchestrate;
mod status;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_api::v1::orchestrator_service_server::OrchestratorService;
use fleet_api::v1::{self as wire};
use fleet_deliberation::DeliberationId;
use fleet_orchestrator::port::{Clock, LanguageModel, Watching};
use fleet_orchestrator::stats::{Health, Stats};
use fleet_orchestrator::{Coordinator, View};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use self::history::{HistoryStream, KeptStream};
use self::status::status;
pub use self::stream::update;
use self::stream::{Streams, UpdateStream};

/// How the service behaves.
#[derive(Debug, Clone, Copy)]
pub struct GrpcSettings {
    /// Whether `Deliberate` waits for the verdict when the caller does not say.
    pub wait_by_default: bool,
    /// How many deliberations may be under way at once; above it, the server says it is degraded.
    pub in_flight_max: usize,
    /// How many streams may be open at once.
    pub streams_max: usize,
}

/// The service over a coordinator.
pub struct Grpc {
    pub(crate) coordinator: Arc<Coordinator>,
    model: Arc<dyn LanguageModel>,
    stats: Arc<Stats>,
    clock: Arc<dyn Clock>,
    watching: Arc<dyn Watching>,
    settings: GrpcSettings,
    streams: Streams,
    stop: CancellationToken,
    started: Instant,
}

/// How much of the caller's time is kept for the way back when it waits for a verdict.
const WAY_BACK: Duration = Duration::from_millis(100);
/// The most deliberations that are listed at once.
const LIST_MAX: usize = 1000;
/// How many are listed when nobody says how many.
const LIST_DEFAULT: usize = 20;

impl Grpc {
    /// The service over `coordinator`; `model` says which agents can be reached, `stats`, which is told what
    /// happens, has the figures. When it is told to `stop`, calls that wait answer with what there is, and
    /// streams end.
    #[must_use]
    pub fn new(
        coordinator: Arc<Coordinator>,
        model: Arc<dyn LanguageModel>,
        stats: Arc<Stats>,
        clock: Arc<dyn Clock>,
        watching: Arc<dyn Watching>,
        settings: GrpcSettings,
        stop: CancellationToken,
    ) -> Grpc {
        let (streams, started) = (Streams::up_to(settings.streams_max), Instant::now());
        Grpc { coordinator, model, stats, clock, watching, settings, streams, stop, started }
    }

    /// Waits until a deliberation has ended, shortly before the caller's time is over, or the server stops.
    async fn wait(&self, id: &DeliberationId, time_left: Option<Duration>) -> Result<View, Status> {
        let patience = time_left.map_or(u64::MAX, |left| {
            u64::try_from(left.saturating_sub(WAY_BACK).as_millis()).unwrap_or(u64::MAX)
        });
        let until = self.clock.now().plus_ms(patience);
        tokio::select! {
            biased;
            ended = self.coordinator.ended(id, until) => ended.map_err(status)?,
            () = self.stop.cancelled() => {}
        }
        self.coordinator.view(id).await.map_err(status)
    }

    /// Cancelled once nothing further is taken.
    pub(crate) fn closing(&self) -> CancellationToken {
        self.coordinator.closing().clone()
    }
}

#[tonic::async_trait]
impl OrchestratorService for Grpc {
    async fn deliberate(
        &self,
        request: Request<wire::DeliberateRequest>,
    ) -> Result<Response<wire::DeliberateResponse>, Status> {
        let (time_left, trace) = (ask::time_left(request.metadata()), ask::trace(request.metadata()));
        let request = request.into_inner();
        let wait = request.wait.unwrap_or(self.settings.wait_by_default);
        let submission = fleet_orchestrator::Request { trace, ..ask::submission(request)? };
        let accepted = self.coordinator.submit(submission).await.map_err(status)?;
        if !wait {
            return Ok(Response::new(answer::submitted(&accepted, self.clock.now())));
        }
        let view = self.wait(&accepted.id, time_left).await?;
        Ok(Response::new(answer::deliberated(&view, self.clock.now())))
    }

    async fn get_deliberation_result(
        &self,
        request: Request<wire::GetDeliberationResultRequest>,
    ) -> Result<Response<wire::GetDeliberationResultResponse>, Status> {
        let wire::GetDeliberationResultRequest { task_id, with_event } = request.into_inner();
        let id = ask::task_id(&task_id)?;
        let view = self.coordinator.view(&id).await.map_err(status)?;
        Ok(Response::new(answer::result(&view, with_event, self.clock.now())))
    }

    async fn cancel_deliberation(
        &self,
        request: Request<wire::CancelDeliberationRequest>,
    ) -> Result<Response<wire::CancelDeliberationResponse>, Status> {
        let wire::CancelDeliberationRequest { task_id, reason } = request.into_inner();
        let id: DeliberationId = ask::task_id(&task_id)?;
        let reason = ask::reason(reason)?;
        let loaded = self.coordinator.cancel(&id, reason).await.map_err(status)?;
        Ok(Response::new(answer::cancelled(&loaded.state)))
    }

    async fn list_deliberations(
        &self,
        request: Request<wire::ListDeliberationsRequest>,
    ) -> Result<Response<wire::ListDeliberationsResponse>, Status> {
        let wire::ListDeliberationsRequest { limit, status, role, error_type } = request.into_inner();
        let limit = ask::number("limit", limit, LIST_MAX)?.unwrap_or(LIST_DEFAULT);
        let filter = ask::filter(status, role, error_type)?;
        let newest = self.coordinator.newest(limit, &filter).await.map_err(self::status::status)?;
        let deliberations = newest.iter().map(|loaded| answer::info(&loaded.state)).collect();
        Ok(Response::new(wire::ListDeliberationsResponse { deliberations }))
    }

    type GetDeliberationHistoryStream = HistoryStream;

    async fn get_deliberation_history(
        &self,
        request: Request<wire::GetDeliberationHistoryRequest>,
    ) -> Result<Response<Self::GetDeliberationHistoryStream>, Status> {
        Ok(Response::new(self.history(&request.into_inner().task_id).await?))
    }

    type ListHistoriesStream = KeptStream;

    async fn list_histories(
        &self,
        request: Request<wire::ListHistoriesRequest>,
    ) -> Result<Response<Self::ListHistoriesStream>, Status> {
        Ok(Response::new(self.kept(request.get_ref()).await?))
    }

    async fn list_councils(
        &self,
        request: Request<wire::ListCouncilsRequest>,
    ) -> Result<Response<wire::ListCouncilsResponse>, Status> {
        let at_work = self.coordinator.at_work().await.map_err(status)?;
        let councils = self.coordinator.councils();
        councils::list(councils, &at_work, &|profile| self.model.reachable(profile), request.get_ref())
            .map(Response::new)
    }

    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let include_stats = request.into_inner().include_stats;
        let (coordinator, limit) = (&*self.coordinator, self.settings.in_flight_max);
        let health = figures::health(coordinator, &self.stats, self.clock.now(), limit).await;
        let stats = match include_stats {
            // Where the log cannot be read, the status says so; there are no figures of councils then.
            true => match figures::totals(coordinator, &self.stats.totals()).await {
                Ok(stats) => Some(stats),
                Err(_) if health == Health::Unhealthy => None,
                Err(error) => return Err(status(error)),
            },
            false => None,
        };
        let hours = match include_stats {
            true => figures::hours(coordinator, health).await?,
            false => Vec::new(),
        };
        let uptime_seconds = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        let status = health.as_str().into();
        Ok(Response::new(wire::GetStatusResponse { status, uptime_seconds, stats, hours }))
    }

    async fn orchestrate(
        &self,
        request: Request<wire::OrchestrateRequest>,
    ) -> Result<Response<wire::OrchestrateResponse>, Status> {
        let (time_left, trace) = (ask::time_left(request.metadata()), ask::trace(request.metadata()));
        let submission = fleet_orchestrator::Request { trace, ..orchestrate::request(request.into_inner())? };
        let accepted = self.coordinator.submit(submission).await;
        let accepted = accepted.map_err(|error| status(orchestrate::in_options(error)))?;
        let view = self.wait(&accepted.id, time_left).await?;
        orchestrate::response(&view, self.clock.now()).map(Response::new)
    }

    type StreamDeliberationStream = UpdateStream;

    async fn stream_deliberation(
        &self,
        request: Request<wire::DeliberateRequest>,
    ) -> Result<Response<Self::StreamDeliberationStream>, Status> {
        let trace = ask::trace(request.metadata());
        Ok(Response::new(self.stream(request.into_inner(), trace).await?))
    }

    async fn register_agent(
        &self,
        request: Request<wire::RegisterAgentRequest>,
    ) -> Result<Response<wire::RegisterAgentResponse>, Status> {
        councils::register(self.coordinator.councils(), request.into_inner(), &*self.model)
            .await
            .map(Response::new)
    }

    async fn create_council(
        &self,
        request: Request<wire::CreateCouncilRequest>,
    ) -> Result<Response<wire::CreateCouncilResponse>, Status> {
        councils::create(self.coordinator.councils(), request.into_inner()).await.map(Response::new)
    }

    async fn delete_council(
        &self,
        request: Request<wire::DeleteCouncilRequest>,
    ) -> Result<Response<wire::DeleteCouncilResponse>, Status> {
        councils::delete(self.coordinator.councils(), request.into_inner()).await.map(Response::new)
    }

    async fn unregister_agent(
        &self,
        request: Request<wire::UnregisterAgentRequest>,
    ) -> Result<Response<wire::UnregisterAgentResponse>, Status> {
        councils::unregister(self.coordinator.councils(), request.into_inner()).await.map(Response::new)
    }

    async fn process_planning_event(
        &self,
        _: Request<wire::PlanningEventRequest>,
    ) -> Result<Response<wire::PlanningEventResponse>, Status> {
        Err(not_yet("plans are not taken in yet; submit their tasks one by one with Deliberate"))
    }

    async fn derive_subtasks(
        &self,
        _: Request<wire::DeriveSubtasksRequest>,
    ) -> Result<Response<wire::DeriveSubtasksResponse>, Status> {
        Err(not_yet("plans are not derived yet; submit their tasks one by one with Deliberate"))
    }

    async fn get_task_context(
        &self,
        _: Request<wire::GetTaskContextRequest>,
    ) -> Result<Response<wire::GetTaskContextResponse>, Status> {
        Err(not_yet("the context of stories is not kept yet; send it as constraints.metadata of the task"))
    }

    async fn get_metrics(
        &self,
        request: Request<wire::GetMetricsRequest>,
    ) -> Result<Response<wire::GetMetricsResponse>, Status> {
        let (wanted, since) = figures::wanted(request.get_ref(), self.clock.now())?;
        let lately = self.stats.lately(since);
        let metrics =
            figures::metrics(&self.coordinator, &|profile| self.model.reachable(profile), wanted, &lately)
                .await;
        Ok(Response::new(metrics.map_err(status)?))
    }
}

fn not_yet(sentence: &str) -> Status {
    Status::unimplemented(sentence)
}
