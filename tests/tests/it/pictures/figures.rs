//! Dot plots of the tables in `docs/benchmarks.md`, each with its aim.

use super::canvas::Canvas;

/// Returns the path and the picture of each figure.
pub fn all(benchmarks: &str) -> Vec<(String, String)> {
    let figure = |name: &str, drawn: String| (format!("docs/figures/{name}.svg"), drawn);
    vec![
        figure("sod-rate", sod_rate(&rows(benchmarks, "| curve | what |"))),
        figure("commands", commands(benchmarks)),
        figure("lists", lists(&rows(benchmarks, "| list | SQLite p50 |"))),
    ]
}

/// Returns the cells of the table that begins so.
fn rows(document: &str, head: &str) -> Vec<Vec<String>> {
    let table = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let found: Vec<Vec<String>> = table.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!found.is_empty(), "docs/benchmarks.md has no table {head:?}");
    found
}

fn number(cell: &str) -> f64 {
    let digits: String = cell.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().unwrap_or_else(|_| panic!("docs/benchmarks.md: {cell:?} is no number"))
}

/// A scale from the left to the right of the picture.
struct Axis {
    from: f64,
    to: f64,
    left: f64,
    right: f64,
    logarithmic: bool,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.logarithmic { value.ln() } else { value };
        let share = (scaled(value) - scaled(self.from)) / (scaled(self.to) - scaled(self.from));
        self.left + share * (self.right - self.left)
    }

    fn draw(&self, canvas: &mut Canvas, ticks: &[(f64, &str)], top: f64, low: f64) {
        for (value, label) in ticks {
            canvas.line("grid", &format!("M{:.1} {top:.1}V{low:.1}", self.at(*value)));
            canvas.text("c m", self.at(*value), low + 16.0, label);
        }
    }

    fn aim(&self, canvas: &mut Canvas, value: f64, label: &str, top: f64, low: f64) {
        canvas.line("aim", &format!("M{:.1} {top:.1}V{low:.1}", self.at(value)));
        canvas.text("a m", self.at(value), top - 5.0, label);
    }
}

/// The rate of SODs as a share of what the bare library does with the same checks.
fn sod_rate(table: &[Vec<String>]) -> String {
    let mut canvas = Canvas::new("SODs built and signed, against the bare arithmetic");
    canvas.text("c", 14.0, 48.0, "Percent of the rate of the library alone, same checks and hash, per CPU-second.");
    let measured: Vec<_> = table.iter().filter(|row| !row[1].starts_with("anchor")).collect();
    let axis = Axis { from: 0.0, to: 105.0, left: 250.0, right: 540.0, logarithmic: false };
    let (top, step) = (104.0, 26.0);
    let low = top + step * f64::from(u32::try_from(measured.len()).expect("a few")) - 8.0;
    axis.draw(&mut canvas, &[(0.0, "0"), (25.0, "25"), (50.0, "50"), (75.0, "75"), (100.0, "100 %")], top - 16.0, low);
    axis.aim(&mut canvas, 90.0, "aim 90 %", top - 16.0, low);
    let mut y = top;
    let mut told = Vec::new();
    for row in measured {
        let short = match row[1].as_str() {
            "built and signed" => "sign",
            "the same, the signer verifies what it signed" => "sign, verify",
            _ => "as issuance does it",
        };
        let share = number(&row[5]);
        canvas.text("c e", 240.0, y + 4.5, &format!("{}: {short}", row[0]));
        if row[0] == "P256" && short == "sign" {
            canvas.dot("ring", axis.at(number(&row[3])), y);
        }
        canvas.dot("dot", axis.at(share), y);
        canvas.text("c", 548.0, y + 4.5, &format!("{share:.0} %"));
        told.push(format!("{} {short} {share:.0} percent", row[0]));
        y += step;
    }
    canvas.dot("dot", 24.0, low + 40.0);
    canvas.text("c", 36.0, low + 44.5, "against the library of the signer");
    canvas.dot("ring", 294.0, low + 40.0);
    canvas.text("c", 306.0, low + 44.5, "against openssl speed (P256, sign)");
    let description = format!("Dots by curve and by what is checked; the aim is 90 percent. {}.", told.join("; "));
    canvas.finish(low + 60.0, &description)
}

/// Commands taken, as a multiple of the least possible.
fn commands(benchmarks: &str) -> String {
    let mut canvas = Canvas::new("Commands, against the least that could do");
    canvas.text("c", 14.0, 48.0, "Commands taken, as a multiple of the least possible. Left of 1 nothing can be.");
    let axis = Axis { from: 0.995, to: 1.03, left: 270.0, right: 500.0, logarithmic: false };
    let inspections = rows(benchmarks, "| way | READ BINARY, least");
    let writings = rows(benchmarks, "| chip | STORE DATA, least");
    let inspections = inspections.iter().map(|row| (format!("read: {}", row[0]), &row[4], &row[3], 1.0));
    let writings = writings.iter().map(|row| (format!("write: {}", row[0]), &row[5], &row[4], 1.02));
    let all: Vec<_> = inspections.chain(writings).collect();
    let (top, step) = (88.0, 28.0);
    let low = top + step * f64::from(u32::try_from(all.len()).expect("a few")) - 10.0;
    axis.draw(&mut canvas, &[(1.0, "1.00"), (1.01, "1.01"), (1.02, "1.02"), (1.03, "1.03")], top - 16.0, low);
    let mut y = top;
    let mut told = Vec::new();
    for (name, taken, least, aim) in all {
        let ratio = number(taken) / number(least);
        canvas.text("c e", 255.0, y + 4.5, &name);
        canvas.line("aim", &format!("M{:.1} {:.1}V{:.1}", axis.at(aim), y - 11.0, y + 11.0));
        canvas.dot("dot", axis.at(ratio), y);
        canvas.text("c", 514.0, y + 4.5, &format!("{taken} of {least}"));
        told.push(format!("{name} {taken} of {least}"));
        y += step;
    }
    canvas.dot("dot", 24.0, low + 40.0);
    canvas.text("c", 36.0, low + 44.5, "taken");
    canvas.line("aim", &format!("M110 {:.1}V{:.1}", low + 30.0, low + 50.0));
    canvas.text("c", 122.0, low + 44.5, "aim: at most so many (read: the least itself; write: 1.02)");
    let description = format!("All at 1.00 is the least possible. {}.", told.join("; "));
    canvas.finish(low + 60.0, &description)
}

/// Lists over a million applications, in milliseconds.
fn lists(table: &[Vec<String>]) -> String {
    let mut canvas = Canvas::new("Lists over a million applications");
    canvas.text(
        "c",
        14.0,
        48.0,
        "Milliseconds in the service; release build, no other work. Above SQLite, below PostgreSQL.",
    );
    let axis = Axis { from: 0.4, to: 10.0, left: 262.0, right: 572.0, logarithmic: true };
    let (top, step) = (100.0, 40.0);
    let low = top + step * f64::from(u32::try_from(table.len()).expect("a few")) - 14.0;
    let ticks = [(0.5, "0.5"), (1.0, "1"), (2.0, "2"), (5.0, "5"), (10.0, "10 ms")];
    axis.draw(&mut canvas, &ticks, top - 16.0, low);
    axis.aim(&mut canvas, 5.0, "aim: p95 under 5 ms", top - 16.0, low);
    let mut y = top;
    let mut told = Vec::new();
    for row in table {
        canvas.text("c e", 250.0, y + 10.5, &row[0].replace("after the same row as ", ""));
        for (engine, p50, p95, y) in [("SQLite", &row[1], &row[2], y), ("PostgreSQL", &row[3], &row[4], y + 14.0)] {
            let (half, most) = (axis.at(number(p50)), axis.at(number(p95)));
            canvas.line("grid", &format!("M{half:.1} {y:.1}H{most:.1}"));
            canvas.dot("ring", half, y);
            canvas.dot("dot", most, y);
            told.push(format!("{}, {engine}: p50 {p50}, p95 {p95}", row[0]));
        }
        y += step;
    }
    canvas.dot("ring", 24.0, low + 40.0);
    canvas.text("c", 36.0, low + 44.5, "p50, half of the requests");
    canvas.dot("dot", 224.0, low + 40.0);
    canvas.text("c", 236.0, low + 44.5, "p95, all but one of twenty");
    canvas.finish(low + 60.0, &format!("The aim is p95 under 5 milliseconds. {}.", told.join("; ")))
}
