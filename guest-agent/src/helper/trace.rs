//! libcontainer logs the causes that its errors do not carry: its error events become notes in the report.

use std::{
    fmt::{Debug, Write},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record as SpanRecord},
};

use crate::process::{Record, write_record};

/// Forwards error events, ignores everything else.
pub(super) struct ErrorNotes {
    pub(super) report: Arc<OwnedFd>,
}

impl Subscriber for ErrorNotes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        // A report that cannot be written is one that nobody reads.
        let _ = write_record(self.report.as_fd(), &Record::Note(text.finish()));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(self) -> String {
        format!("{}{}", self.message, self.fields).replace('\n', " ")
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
