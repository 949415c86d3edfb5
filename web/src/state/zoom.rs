//! The part of the memory strip that is shown.

/// Shares of the whole strip, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zoom {
    /// Where it starts.
    pub from: f64,
    /// How long it is.
    pub span: f64,
}

/// The smallest part that is shown: beyond it a 64-bit float cannot tell pages of a large process apart.
const LEAST: f64 = 1e-9;

impl Default for Zoom {
    fn default() -> Self {
        Self { from: 0.0, span: 1.0 }
    }
}

impl Zoom {
    /// A part so many times larger in view; what is `around` (a share of the view) stays where it is.
    pub fn by(self, factor: f64, around: f64) -> Self {
        let span = (self.span / factor).clamp(LEAST, 1.0);
        let fixed = self.from + self.span * around;
        Self { from: (fixed - span * around).clamp(0.0, 1.0 - span), span }
    }

    /// The part beside this one, by a share of its length.
    pub fn moved(self, by: f64) -> Self {
        Self { from: (self.from + self.span * by).clamp(0.0, 1.0 - self.span), ..self }
    }

    /// Whether all of the strip is shown.
    pub fn is_whole(self) -> bool {
        self.span >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::Zoom;

    #[test]
    fn what_is_zoomed_at_stays_and_nothing_outside_is_shown() {
        let near = Zoom::default().by(4.0, 0.25);
        assert_eq!(near, Zoom { from: 0.1875, span: 0.25 });
        assert_eq!(near.moved(99.0), Zoom { from: 0.75, span: 0.25 });
        assert_eq!(near.moved(-99.0).from, 0.0);
        assert!(near.by(1e-3, 0.9).is_whole());
        assert_eq!(near.by(1e-3, 0.9), Zoom::default());
        assert!(Zoom::default().by(1e30, 0.5).span > 0.0);
    }
}
