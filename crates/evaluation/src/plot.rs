//! Plots of shares with their intervals, as SVG. Lines differ in their dashes and marks, so that they can be
//! told apart without colours.

use std::fmt::Write as _;

use crate::{Arm, Estimate};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 430.0;
const HEIGHT: f64 = 490.0;
/// How far the intervals of arms stand apart that are at the same place.
const APART: f64 = 5.0;

/// The shares of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The arm.
    pub arm: Arm,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// A share at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The place.
    pub x: f64,
    /// The share.
    pub share: Estimate,
}

/// A share by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The arm.
    pub arm: Arm,
    /// Its share.
    pub share: Estimate,
}

/// Shares of several arms over what was varied, from `first` to `last`.
#[must_use]
pub fn lines(title: &str, axis: &str, (first, last): (f64, f64), lines: &[Line]) -> String {
    let span = if last > first { last - first } else { 1.0 };
    let inset = APART * lines.len() as f64 + 6.0;
    let at = |x: f64| LEFT + inset + (x - first) / span * (RIGHT - LEFT - 2.0 * inset);
    let mut svg = frame(title, HEIGHT);
    shares(&mut svg);
    let mut places: Vec<f64> = lines.iter().flat_map(|line| &line.points).map(|point| point.x).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    // More labels than these run into each other.
    let every = places.len().div_ceil(12).max(1);
    for x in places.iter().step_by(every) {
        let _ = writeln!(
            svg,
            "<path d='M{at:.1} {BOTTOM}v5' stroke='#000'/>\
             <text x='{at:.1}' y='{y}' text-anchor='middle'>{x}</text>",
            at = at(*x),
            y = BOTTOM + 20.0
        );
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    let _ = writeln!(
        svg,
        "<text x='{middle}' y='{}' text-anchor='middle'>{}</text>",
        BOTTOM + 44.0,
        escaped(axis)
    );
    for (nth, line) in lines.iter().enumerate() {
        let aside = (nth as f64 - (lines.len() as f64 - 1.0) / 2.0) * APART;
        let style = style(line.arm);
        let path: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{:.1} {:.1}", at(point.x) + aside, height(point.share.mean)))
            .collect();
        let _ = writeln!(
            svg,
            "<path d='M{}' fill='none' stroke='{}' stroke-width='1.8' stroke-dasharray='{}'/>",
            path.join("L"),
            style.color,
            style.dashes
        );
        for Point { x, share } in &line.points {
            let x = at(*x) + aside;
            let (low, high) = (height(share.low), height(share.high));
            let _ = writeln!(
                svg,
                "<path d='M{x:.1} {low:.1}V{high:.1}m-2.5 0h5M{:.1} {low:.1}h5' stroke='{}' fill='none'/>",
                x - 2.5,
                style.color
            );
            mark(&mut svg, style, x, height(share.mean));
        }
    }
    let arms: Vec<Arm> = lines.iter().map(|line| line.arm).collect();
    legend(&mut svg, &arms);
    svg + "</svg>\n"
}

/// The shares of several arms side by side.
#[must_use]
pub fn rows(title: &str, rows: &[Row]) -> String {
    let height = TOP + 40.0 * rows.len() as f64 + 60.0;
    let (left, right) = (230.0, RIGHT - 20.0);
    let at = |share: f64| left + share * (right - left);
    let (top, bottom) = (TOP - 20.0, height - 50.0);
    let mut svg = frame(title, height);
    for tenth in (0..=10).step_by(2) {
        let (x, share) = (at(f64::from(tenth) / 10.0), f64::from(tenth) / 10.0);
        let _ = writeln!(
            svg,
            "<path d='M{x:.1} {top}V{bottom}' stroke='#ccc'/>\
             <text x='{x:.1}' y='{}' text-anchor='middle'>{share:.1}</text>",
            bottom + 20.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x='{}' y='{}' text-anchor='middle'>share of tasks solved, with 95 % intervals</text>",
        f64::midpoint(left, right),
        bottom + 42.0
    );
    for (nth, row) in rows.iter().enumerate() {
        let y = top + 24.0 + 40.0 * nth as f64;
        let style = style(row.arm);
        let (low, high) = (at(row.share.low), at(row.share.high));
        let _ = writeln!(
            svg,
            "<text x='{}' y='{}' text-anchor='end'>{}</text>\
             <path d='M{low:.1} {y:.1}H{high:.1}m0 -4v8M{low:.1} {:.1}v8' stroke='{}' stroke-width='1.5' fill='none'/>",
            left - 14.0,
            y + 4.0,
            row.arm.label(),
            y - 4.0,
            style.color
        );
        mark(&mut svg, style, at(row.share.mean), y);
    }
    svg + "</svg>\n"
}

fn frame(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' \
         font-family='DejaVu Sans, Verdana, sans-serif' font-size='12'>\n\
         <title>{title}</title>\n<rect width='100%' height='100%' fill='#fff'/>\n\
         <text x='{}' y='26' text-anchor='middle' font-size='15'>{title}</text>\n",
        WIDTH / 2.0,
        title = escaped(title)
    )
}

/// The axis of shares, from 0 to 1.
fn shares(svg: &mut String) {
    for tenth in 0..=10 {
        let share = f64::from(tenth) / 10.0;
        let y = height(share);
        let _ = writeln!(
            svg,
            "<path d='M{LEFT} {y:.1}H{RIGHT}' stroke='{}'/>\
             <text x='{}' y='{:.1}' text-anchor='end'>{share:.1}</text>",
            if tenth == 0 { "#000" } else { "#ddd" },
            LEFT - 8.0,
            y + 4.0
        );
    }
    let middle = f64::midpoint(TOP, BOTTOM);
    let _ = writeln!(
        svg,
        "<path d='M{LEFT} {TOP}V{BOTTOM}' stroke='#000'/>\
         <text transform='translate(24 {middle}) rotate(-90)' text-anchor='middle'>share of tasks solved, with 95 % \
         intervals</text>"
    );
}

fn height(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

fn legend(svg: &mut String, arms: &[Arm]) {
    let (mut x, y) = (LEFT, 56.0);
    for arm in arms {
        let style = style(*arm);
        let _ = writeln!(
            svg,
            "<path d='M{x:.1} {y}h30' stroke='{}' stroke-width='1.8' stroke-dasharray='{}'/>\
             <text x='{:.1}' y='{}' font-size='11'>{}</text>",
            style.color,
            style.dashes,
            x + 36.0,
            y + 4.0,
            arm.label()
        );
        mark(svg, style, x + 15.0, y);
        // About as wide as the font writes it.
        x += 36.0 + 6.2 * arm.label().len() as f64 + 22.0;
    }
}

/// How an arm looks.
#[derive(Clone, Copy)]
struct Style {
    color: &'static str,
    dashes: &'static str,
    mark: Mark,
}

#[derive(Clone, Copy)]
enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// The colours differ in lightness as well.
const fn style(arm: Arm) -> Style {
    match arm {
        Arm::One => Style { color: "#8a8a8a", dashes: "2 3", mark: Mark::Circle },
        Arm::Best => Style { color: "#b35900", dashes: "8 4", mark: Mark::Square },
        Arm::Council => Style { color: "#0059b3", dashes: "none", mark: Mark::Triangle },
        Arm::Judged => Style { color: "#000000", dashes: "10 3 2 3", mark: Mark::Diamond },
    }
}

fn mark(svg: &mut String, Style { color, mark, .. }: Style, x: f64, y: f64) {
    let shape = match mark {
        Mark::Circle => format!("<circle cx='{x:.1}' cy='{y:.1}' r='4'"),
        Mark::Square => format!("<rect x='{:.1}' y='{:.1}' width='7.6' height='7.6'", x - 3.8, y - 3.8),
        Mark::Triangle => format!("<path d='M{x:.1} {:.1}l5 8.4h-10z'", y - 5.4),
        Mark::Diamond => format!("<path d='M{x:.1} {:.1}l5 5l-5 5l-5 -5z'", y - 5.0),
    };
    let fill = if matches!(mark, Mark::Circle | Mark::Diamond) { "#fff" } else { color };
    let _ = writeln!(svg, "{shape} fill='{fill}' stroke='{color}' stroke-width='1.5'/>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
