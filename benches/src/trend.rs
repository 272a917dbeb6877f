//! Where a series of figures is going.

/// The slope of the straight line that fits the points best, by least squares.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let across: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    along / across
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_has_its_slope_wherever_it_begins() {
        let line: Vec<(f64, f64)> = (10..20).map(|x| (f64::from(x), 3.0 - 0.5 * f64::from(x))).collect();
        assert!((slope(&line) + 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_goes_up_and_down_alike_has_none() {
        let waves = [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0), (3.0, 1.0), (4.0, 2.0), (5.0, 1.0)];
        assert!(slope(&waves).abs() < 1e-9);
    }
}
