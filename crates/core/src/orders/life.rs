//! The life of an order: the states that it can be in, and the steps that lead from one to another.

use bellwether_sdk::OrderState;
use serde::{Deserialize, Serialize};

/// Where an order is in its life, in full. Strategies see the part that concerns them, [`OrderState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Life {
    /// It was asked for; risk has not seen it.
    Created,
    /// Risk has approved it.
    Approved,
    /// It is on its way to the venue.
    Sent,
    /// The venue has it.
    Acknowledged,
    /// Some of it filled.
    PartlyFilled,
    /// All of it filled.
    Filled,
    /// Its end was asked for, and the venue has not said what became of that: it may still fill.
    CancelPending,
    /// Ended by a cancel.
    Cancelled,
    /// Refused by risk or the venue.
    Rejected,
    /// Ended by its time in force.
    Expired,
    /// Nobody knows what became of it: the venue is asked. It may still fill.
    Unknown,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Risk approves it.
    Approve,
    /// It goes out.
    Send,
    /// The venue has it.
    Acknowledge,
    /// Nobody knows what became of it.
    LoseSight,
    /// A part of it fills.
    FillPart,
    /// All that was left of it fills.
    FillWhole,
    /// Its end is asked for.
    AskCancel,
    /// It ends by a cancel.
    Cancel,
    /// It is refused.
    Reject,
    /// It ends by its time in force.
    Expire,
}

impl Life {
    /// All states.
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Approved,
        Self::Sent,
        Self::Acknowledged,
        Self::PartlyFilled,
        Self::Filled,
        Self::CancelPending,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
        Self::Unknown,
    ];

    /// Its name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match (self, self.shown()) {
            (Self::Created, _) => "created",
            (Self::Approved, _) => "approved",
            (_, Some(state)) => state.name(),
            (_, None) => "cancel_pending",
        }
    }

    /// Whether it is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired)
    }

    /// Whether the venue may have it.
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Sent | Self::Acknowledged | Self::PartlyFilled | Self::CancelPending | Self::Unknown)
    }

    /// Where a step leads; `None` when it is impossible. `filled` says whether a part had filled before. What the venue
    /// says twice, or late, leads where the order is already.
    pub const fn after(self, step: Step, filled: bool) -> Option<Self> {
        match (self, step) {
            (Self::Created, Step::Approve) => Some(Self::Approved),
            (Self::Created, Step::Reject) => Some(Self::Rejected),
            (Self::Approved, Step::Send) => Some(Self::Sent),
            (Self::Sent | Self::Unknown, Step::Acknowledge) if filled => Some(Self::PartlyFilled),
            (Self::Sent | Self::Unknown, Step::Acknowledge) => Some(Self::Acknowledged),
            (Self::Acknowledged | Self::PartlyFilled | Self::CancelPending, Step::Acknowledge) => Some(self),
            (Self::CancelPending, Step::FillPart | Step::AskCancel) => Some(self),
            // Whoever asks for its end does not find it thereby.
            (Self::Unknown, Step::AskCancel) => Some(self),
            _ if !self.is_out() => None,
            (_, Step::LoseSight) => Some(Self::Unknown),
            (_, Step::FillPart) => Some(Self::PartlyFilled),
            (_, Step::FillWhole) => Some(Self::Filled),
            (_, Step::AskCancel) => Some(Self::CancelPending),
            (_, Step::Cancel) => Some(Self::Cancelled),
            (_, Step::Reject) => Some(Self::Rejected),
            (_, Step::Expire) => Some(Self::Expired),
            (_, Step::Approve | Step::Send | Step::Acknowledge) => None,
        }
    }

    /// What strategies and reports are shown; `None` for a pending cancel, which changes nothing of what was known.
    pub(super) const fn shown(self) -> Option<OrderState> {
        match self {
            Self::Created | Self::Approved | Self::Sent => Some(OrderState::Sent),
            Self::Acknowledged => Some(OrderState::Acknowledged),
            Self::PartlyFilled => Some(OrderState::PartlyFilled),
            Self::Filled => Some(OrderState::Filled),
            Self::CancelPending => None,
            Self::Cancelled => Some(OrderState::Cancelled),
            Self::Rejected => Some(OrderState::Rejected),
            Self::Expired => Some(OrderState::Expired),
            Self::Unknown => Some(OrderState::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 10] = [
        Step::Approve,
        Step::Send,
        Step::Acknowledge,
        Step::LoseSight,
        Step::FillPart,
        Step::FillWhole,
        Step::AskCancel,
        Step::Cancel,
        Step::Reject,
        Step::Expire,
    ];

    #[test]
    fn nothing_goes_out_without_approval_and_nothing_comes_back_from_an_end() {
        for state in Life::ALL {
            for (step, filled) in STEPS.into_iter().flat_map(|s| [(s, false), (s, true)]) {
                let Some(after) = state.after(step, filled) else { continue };
                assert!(!state.is_over(), "{state:?} {step:?}");
                assert!(after.is_out() <= (state.is_out() || step == Step::Send), "{state:?} {step:?}");
                assert_eq!(step == Step::Send, state == Life::Approved, "{state:?} {step:?}");
                assert_eq!(step == Step::Approve, after == Life::Approved, "{state:?} {step:?}");
            }
        }
        let ways = |state: Life| STEPS.into_iter().filter(|s| state.after(*s, false).is_some()).count();
        assert_eq!(Life::ALL.map(ways), [2, 1, 8, 8, 8, 0, 8, 0, 0, 0, 8]);
    }
}
