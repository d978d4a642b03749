//! The papers of a counter as PDF: form CC02, which citizen and officer sign, and the slip with which the
//! citizen fetches the card; pure.

use time::Date;

use super::barcode::code_128;
use super::portrait::{HEIGHT, WIDTH};
use crate::ground::paper::{Font, Sheet, written};

/// Form CC02 (Circular 41/2019/TT-BCA, in the version of Circular 59/2021): what is taken for a card.
#[derive(Clone, Default)]
pub(super) struct Cc02 {
    /// The office.
    pub office: String,
    /// How officers call the dossier.
    pub reference: String,
    /// The dossier's own code, for the barcode.
    pub code: String,
    /// What is applied for.
    pub kind: String,
    /// The items in their order: name and value.
    pub items: Vec<(String, String)>,
    /// The portrait (JPEG).
    pub portrait: Option<Vec<u8>>,
    /// The officer who prints it.
    pub officer: String,
    /// The day.
    pub day: String,
}

/// The slip: what the citizen brings to fetch the card.
#[derive(Clone, Default)]
pub(super) struct SlipPaper {
    /// Its number, which the barcode holds too.
    pub slip: String,
    /// The citizen's name.
    pub name: String,
    /// How officers call the dossier.
    pub reference: String,
    /// What is applied for.
    pub kind: String,
    /// Where the card is fetched.
    pub office: String,
    /// From when.
    pub promised: Option<Date>,
    /// What is to be paid.
    pub fee: String,
    /// The day on which it was printed.
    pub day: String,
}

/// Draws form CC02 on A4. The same form is the same file.
pub(super) fn cc02(form: &Cc02) -> Vec<u8> {
    let (width, height) = (mm(210.0), mm(297.0));
    let (left, right) = (mm(20.0), width - mm(16.0));
    let font = Font::new();
    let mut sheets = vec![Sheet::default()];
    let sheet = &mut sheets[0];
    let centred = |sheet: &mut Sheet, text: &str, size: f32, y: f32| {
        sheet.put(text, size, (width - font.width(text, size)) / 2.0, y);
    };
    centred(sheet, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 11.0, height - mm(20.0));
    centred(sheet, "Độc lập - Tự do - Hạnh phúc", 11.0, height - mm(25.5));
    sheet.put("CC02", SMALL, right - font.width("CC02", SMALL), height - mm(14.0));
    centred(sheet, "PHIẾU THU NHẬN THÔNG TIN CĂN CƯỚC CÔNG DÂN", 14.0, height - mm(37.0));
    let head = format!("Đơn vị {} · hồ sơ {} · {}", form.office, form.reference, form.day);
    centred(sheet, &head, SMALL, height - mm(43.0));
    // The portrait is 4 × 6 cm on the form; ours is 3:4, so that it stands in the middle of the frame.
    let frame = [left, height - mm(110.0), mm(40.0), mm(60.0)];
    sheet.frame(frame);
    if let Some(portrait) = &form.portrait {
        let tall = mm(40.0) * 4.0 / 3.0;
        let place = [left, frame[1] + (mm(60.0) - tall) / 2.0, mm(40.0), tall];
        sheet.picture(portrait.clone(), (WIDTH, HEIGHT), place);
    }
    bars(sheet, &form.code, (left + mm(50.0), height - mm(62.0)), (mm(0.3), mm(12.0)));
    sheet.put(&form.code, SMALL, left + mm(50.0), height - mm(67.0));
    let mut y = height - mm(76.0);
    let kind = format!("Yêu cầu: {}", form.kind);
    for line in font.wrapped(&kind, USUAL, right - left - mm(50.0)) {
        sheet.put(&line, USUAL, left + mm(50.0), y);
        y -= LEADING;
    }
    y = height - mm(118.0);
    for (n, (name, value)) in form.items.iter().enumerate() {
        let line = format!("{}. {name}: {value}", n + 1);
        for part in font.wrapped(&line, USUAL, right - left) {
            if y < mm(62.0) {
                sheets.push(Sheet::default());
                y = height - mm(20.0);
            }
            let sheet = sheets.last_mut().expect("there is a first page");
            sheet.put(&part, USUAL, left, y);
            y -= LEADING;
        }
    }
    let count = sheets.len();
    let sheet = sheets.last_mut().expect("there is a first page");
    let said = "Tôi đã kiểm tra các thông tin trên và xác nhận là đúng.";
    sheet.put(said, USUAL, left, mm(54.0));
    for (x, who, how) in
        [(left, "CÔNG DÂN", "(ký, ghi rõ họ tên)"), (left + mm(95.0), "CÁN BỘ THU NHẬN", "(ký, ghi rõ họ tên)")]
    {
        sheet.put(who, USUAL, x, mm(46.0));
        sheet.put(how, SMALL, x, mm(41.0));
    }
    sheet.put(&form.officer, USUAL, left + mm(95.0), mm(18.0));
    for (n, sheet) in sheets.iter_mut().enumerate() {
        let page = format!("{} · {} / {count}", form.reference, n + 1);
        sheet.put(&page, SMALL, left, mm(9.0));
    }
    written(&font, (width, height), &sheets, &format!("CC02 {}", form.reference), "vi")
}

/// Draws the slip on A6, in both languages. The same slip is the same file.
pub(super) fn slip(paper: &SlipPaper) -> Vec<u8> {
    let (width, height) = (mm(105.0), mm(148.0));
    let (left, right) = (mm(9.0), width - mm(9.0));
    let font = Font::new();
    let mut sheet = Sheet::default();
    let centred = |sheet: &mut Sheet, text: &str, size: f32, y: f32| {
        sheet.put(text, size, (width - font.width(text, size)) / 2.0, y);
    };
    centred(&mut sheet, "GIẤY HẸN TRẢ THẺ CĂN CƯỚC CÔNG DÂN", 10.5, height - mm(12.0));
    centred(&mut sheet, "Slip for the citizen identity card", SMALL, height - mm(17.0));
    let module = mm(0.36);
    let modules: f32 = code_128(&paper.slip).unwrap_or_default().iter().map(|width| f32::from(*width)).sum();
    bars(&mut sheet, &paper.slip, ((width - modules * module) / 2.0, height - mm(37.0)), (module, mm(14.0)));
    let (one, two) = paper.slip.split_at(paper.slip.len() / 2);
    centred(&mut sheet, &format!("{one} {two}"), 13.0, height - mm(43.5));
    let promised = paper.promised.map_or_else(|| "-".to_owned(), ::pages::written::date);
    let mut y = height - mm(54.0);
    for (vi, en, value) in [
        ("Họ và tên", "Name", &paper.name),
        ("Hồ sơ", "File", &paper.reference),
        ("Yêu cầu", "For", &paper.kind),
        ("Nơi trả thẻ", "Office", &paper.office),
        ("Ngày hẹn", "Collect from", &promised),
        ("Lệ phí", "Fee", &paper.fee),
    ] {
        sheet.put(&format!("{vi} / {en}"), 7.5, left, y);
        y -= mm(4.4);
        // A name of a hundred letters takes two lines; more than three say nothing more.
        for line in font.wrapped(value, 10.0, right - left).iter().take(3) {
            sheet.put(line, 10.0, left, y);
            y -= mm(4.4);
        }
        y -= mm(1.2);
    }
    let bring = [
        "Mang giấy này và thẻ hoặc CMND cũ khi đến nhận thẻ.",
        "Bring this slip and your old card when you collect the new one.",
    ];
    for (n, line) in bring.iter().enumerate() {
        sheet.put(line, 7.5, left, mm(14.0) - 10.0 * f32::from(u8::try_from(n).unwrap_or(0)));
    }
    sheet.put(&paper.day, 7.5, left, mm(6.0));
    written(&font, (width, height), &[sheet], &paper.slip, "vi")
}

/// Draws a barcode whose lower left corner is at this place; the quiet zone beside it is the caller's.
fn bars(sheet: &mut Sheet, text: &str, (mut x, y): (f32, f32), (module, height): (f32, f32)) {
    for (n, width) in code_128(text).unwrap_or_default().into_iter().enumerate() {
        let width = f32::from(width) * module;
        if n % 2 == 0 {
            sheet.bar([x, y, width, height]);
        }
        x += width;
    }
}

/// Millimetres in points.
const fn mm(length: f32) -> f32 {
    length * 72.0 / 25.4
}

const USUAL: f32 = 10.5;
const SMALL: f32 = 8.5;
const LEADING: f32 = 15.0;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use time::macros::date;

    use super::*;

    /// What another program makes of a paper; none where that program is not installed.
    fn by(program: &str, arguments: &[&str], pdf: &[u8]) -> Option<Vec<u8>> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut running) = command.spawn() else {
            println!("SKIPPED applications::papers: {program} is not installed (poppler-utils)");
            return None;
        };
        running.stdin.take().unwrap().write_all(pdf).unwrap();
        let out = running.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(out.stdout)
    }

    fn text(pdf: &[u8]) -> Option<String> {
        let text = String::from_utf8(by("pdftotext", &["-layout", "-", "-"], pdf)?).unwrap();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn a_slip(name: &str) -> SlipPaper {
        SlipPaper {
            slip: "K7QW12BD9X".into(),
            name: name.into(),
            reference: "7F3A21".into(),
            kind: "Cấp lần đầu".into(),
            office: "003-001".into(),
            promised: Some(date!(2026 - 12 - 04)),
            fee: "30.000 đồng".into(),
            day: "26/11/2026".into(),
        }
    }

    #[test]
    fn another_program_reads_what_stands_on_the_slip() {
        let name = "Tôn Nữ Hoàng Phượng Khuê Ngọc Ẩn Thị Thương ".repeat(3);
        let Some(text) = text(&slip(&a_slip(name.trim()))) else { return };
        for said in ["K7QW1 2BD9X", "Tôn Nữ Hoàng Phượng", "04/12/2026", "30.000 đồng", "Cấp lần đầu", "Mang giấy này"]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    /// Reads the barcode from the printed picture, along one line, as a scanner does: by the widths of black and white.
    #[test]
    fn the_barcode_of_the_slip_is_read_back_from_the_picture() {
        let drawn = slip(&a_slip("Nguyễn Thị Mẫu"));
        let Some(picture) = by("pdftoppm", &["-r", "600", "-gray", "-singlefile", "-"], &drawn) else { return };
        // P5, width, height, 255, then a byte a pixel.
        let mut parts = picture.splitn(4, u8::is_ascii_whitespace);
        assert_eq!(parts.next(), Some(&b"P5"[..]));
        let mut number = || std::str::from_utf8(parts.next().unwrap()).unwrap().parse::<usize>().unwrap();
        let (width, _) = (number(), number());
        let pixels = parts.next().unwrap().splitn(2, u8::is_ascii_whitespace).nth(1).unwrap();
        let at = |millimetres: usize| millimetres * 600 * 10 / 254;
        let line = &pixels[at(30) * width..][..width];
        let mut runs: Vec<(bool, usize)> = vec![];
        for black in line.iter().map(|shade| *shade < 128) {
            match runs.last_mut() {
                Some((same, length)) if *same == black => *length += 1,
                _ => runs.push((black, 1)),
            }
        }
        let first = runs.remove(0);
        let last = runs.pop().unwrap();
        assert!(!first.0 && !last.0 && first.1 > at(5) && last.1 > at(5), "the quiet zones: {first:?} {last:?}");
        let whole: usize = runs.iter().map(|(_, length)| length).sum();
        let modules = 11 * 12 + 13;
        let widths: Vec<u8> =
            runs.iter().map(|(_, length)| u8::try_from((length * modules + whole / 2) / whole).unwrap()).collect();
        assert_eq!(Some(widths), code_128("K7QW12BD9X"));
        // Twelve millimetres high at least: the same line at its upper and its lower end.
        for end in [24, 36] {
            assert_eq!(&pixels[at(end) * width..][..width], line, "{end} mm");
        }
    }

    #[test]
    fn form_cc02_has_each_item_in_its_order_and_room_for_two_signatures() {
        let items: Vec<(String, String)> = (0..40).map(|n| (format!("Mục {n}"), format!("giá trị {n}"))).collect();
        let portrait = include_bytes!("../../../tests/data/portrait/photograph.jpg");
        let portrait = Some(super::super::portrait::passport_portrait(portrait, None).unwrap());
        let form = Cc02 {
            office: "003-001".into(),
            reference: "7F3A21".into(),
            code: "0197A3F001237ABC8DEF0123456789AB".into(),
            kind: "Đổi thẻ: thẻ hỏng".into(),
            items: items.clone(),
            portrait,
            officer: "hang.vu".into(),
            day: "26/11/2026".into(),
        };
        let drawn = cc02(&form);
        assert_eq!(drawn, cc02(&form), "the same form is the same file");
        let Some(text) = text(&drawn) else { return };
        let mut from = 0;
        for (n, (name, value)) in items.iter().enumerate() {
            let said = format!("{}. {name}: {value}", n + 1);
            from += text[from..].find(&said).unwrap_or_else(|| panic!("{said}: {text}"));
        }
        for said in ["PHIẾU THU NHẬN THÔNG TIN CĂN CƯỚC CÔNG DÂN", "Đổi thẻ: thẻ hỏng", "CÔNG DÂN", "hang.vu", "2 / 2"]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
