//! The labels of metrics. One without a value is there empty, which Prometheus takes as not there.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DeliberationLabels {
    pub(super) role: Arc<str>,
    pub(super) ending: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct JobLabels {
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) server: Arc<str>,
    pub(super) outcome: &'static str,
    pub(super) hedge: bool,
}

/// Those that the conventions give to calls of models, with underscores for dots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ModelLabels {
    pub(super) gen_ai_operation_name: &'static str,
    pub(super) gen_ai_provider_name: &'static str,
    pub(super) gen_ai_request_model: Arc<str>,
    pub(super) gen_ai_response_model: Option<Arc<str>>,
    pub(super) server_address: Arc<str>,
    pub(super) server_port: Option<u16>,
    pub(super) error_type: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TokenLabels {
    pub(super) gen_ai_token_type: &'static str,
    #[prometheus(flatten)]
    pub(super) call: ModelLabels,
}
