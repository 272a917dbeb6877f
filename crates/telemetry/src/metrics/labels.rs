//! The labels of metrics.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ModelLabels {
    pub(super) gen_ai_operation_name: &'static str,
    pub(super) gen_ai_provider_name: &'static str,
    pub(super) gen_ai_request_model: Arc<str>,
    pub(super) gen_ai_response_model: Option<Arc<str>>,
    pub(super) server_address: Arc<str>,
    pub(super) server_port: Option<u16>,
    pub(super) error_type: Option<&'static str>,
}

impl EncodeLabelSet for ModelLabels {
    /// What is not known is left out, as the conventions want it: a call that did not fail has no `error.type`.
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let port = self.server_port.map(|port| port.to_string());
        let labels = [
            ("gen_ai_operation_name", Some(self.gen_ai_operation_name)),
            ("gen_ai_provider_name", Some(self.gen_ai_provider_name)),
            ("gen_ai_request_model", Some(&*self.gen_ai_request_model)),
            ("gen_ai_response_model", self.gen_ai_response_model.as_deref()),
            ("server_address", Some(&*self.server_address)),
            ("server_port", port.as_deref()),
            ("error_type", self.error_type),
        ];
        for (name, value) in labels {
            if let Some(value) = value {
                (name, value).encode(encoder.encode_label())?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TokenLabels {
    pub(super) gen_ai_token_type: &'static str,
    #[prometheus(flatten)]
    pub(super) call: ModelLabels,
}
