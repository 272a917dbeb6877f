//! Plots: well-formed, within their frame, and readable without colours.

use fleet_evaluation::{Arm, Estimate, Line, Point, Row, lines, rows};

fn share(mean: f64) -> Estimate {
    Estimate { mean, low: (mean - 0.2).max(0.0), high: (mean + 0.2).min(1.0) }
}

fn all_arms() -> String {
    let of = |(nth, arm): (usize, Arm)| {
        let points = (0..5).map(|n| Point { x: 0.1 + 0.2 * f64::from(n), share: share(0.2 * nth as f64) });
        Line { arm, points: points.collect() }
    };
    let all: Vec<Line> = Arm::ALL.into_iter().enumerate().map(of).collect();
    lines("A & B", "p", (0.1, 0.9), &all)
}

/// Every number of an attribute of the plot.
fn numbers<'a>(svg: &'a str, attribute: &str) -> impl Iterator<Item = f64> + use<'a> {
    let start = format!(" {attribute}='");
    let values: Vec<&str> =
        svg.split(start.as_str()).skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    values.into_iter().filter_map(|value| value.parse().ok())
}

#[test]
fn every_arm_has_its_line_its_dashes_its_marks_and_its_name() {
    let svg = all_arms();
    for arm in Arm::ALL {
        assert!(svg.contains(arm.label()), "{arm}");
    }
    for dashes in ["'2 3'", "'8 4'", "'none'", "'10 3 2 3'"] {
        assert_eq!(svg.matches(&format!("stroke-dasharray={dashes}")).count(), 2, "{dashes}");
    }
    // Five points and the legend.
    assert_eq!(svg.matches("<circle").count(), 6);
    assert!(svg.contains("share of tasks solved") && svg.contains(">p</text>"));
}

#[test]
fn elements_are_closed_and_what_is_written_is_escaped() {
    for svg in [all_arms(), rows("x < y", &[Row { arm: Arm::One, share: share(0.5) }])] {
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("A & B") && !svg.contains("x < y"));
        let (open, closed) = (svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(open, closed);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}

#[test]
fn nothing_lies_outside_of_the_frame() {
    let svg = all_arms();
    assert!(numbers(&svg, "x").chain(numbers(&svg, "cx")).all(|x| (0.0..=760.0).contains(&x)));
    assert!(numbers(&svg, "y").chain(numbers(&svg, "cy")).all(|y| (0.0..=490.0).contains(&y)));
}

#[test]
fn a_plot_of_nothing_or_of_one_point_is_one_as_well() {
    assert!(lines("t", "p", (0.0, 0.0), &[]).ends_with("</svg>\n"));
    let one = Line { arm: Arm::Best, points: vec![Point { x: 0.5, share: share(1.0) }] };
    assert!(!lines("t", "p", (0.5, 0.5), &[one]).contains("NaN"));
}
