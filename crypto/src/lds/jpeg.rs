//! Whether a JPEG is whole: ISO/IEC 10918-1, sequential and progressive Huffman coding.
//!
//! Decoders show what they have: of a file that ends at 30 % they make a picture that is grey below. So that no
//! such picture gets on a card, the entropy-coded data is walked to the last block of every scan, without computing a
//! pixel.

use thiserror::Error;

/// A JPEG whose every row is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Jpeg {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Length up to the end marker and with it; cameras write more behind it.
    pub length: usize,
}

/// Why a file is no whole JPEG.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum JpegError {
    /// The file ends before its end marker.
    #[error("the JPEG ends before its end marker")]
    Cut,
    /// The file breaks the standard's grammar.
    #[error("the JPEG has {0}")]
    Malformed(&'static str),
    /// A scan ends before its last block, or a colour was never coded.
    #[error("rows of the JPEG are missing")]
    Rows,
    /// More pixels than are walked here.
    #[error("the JPEG has too many pixels")]
    TooLarge,
    /// Arithmetic coding, lossless or hierarchical frames, twelve bits.
    #[error("a JPEG of this kind is not read here")]
    Unsupported,
}

impl Jpeg {
    /// Walks a file from its first marker to its end marker, through every block of every scan. What follows the end
    /// marker is not looked at.
    ///
    /// # Errors
    /// [`JpegError`]
    pub fn parse(file: &[u8]) -> Result<Self, JpegError> {
        let mut walk = Walk { file, at: 0, tables: Tables::default(), interval: 0, scans: 0, frame: None };
        if walk.marker()? != SOI {
            return Err(JpegError::Malformed("no start marker"));
        }
        loop {
            match walk.marker()? {
                EOI => break,
                SOF0..=SOF2 => walk.frame()?,
                DHT => walk.huffman_tables()?,
                DRI => {
                    let segment = walk.segment()?;
                    let interval = segment.try_into().map_err(|_| JpegError::Malformed("a restart interval cut"))?;
                    walk.interval = u16::from_be_bytes(interval);
                }
                SOS => walk.scan()?,
                // Other frames (among them those of arithmetic coding), and DAC.
                0xc3 | 0xc5..=0xcf => return Err(JpegError::Unsupported),
                0x01 | 0xd0..=SOI => return Err(JpegError::Malformed("a marker out of place")),
                _ => drop(walk.segment()?),
            }
        }
        let frame = walk.frame.ok_or(JpegError::Malformed("no frame"))?;
        if frame.components.iter().any(|component| !component.coded) {
            return Err(JpegError::Rows);
        }
        Ok(Self { width: frame.width, height: frame.height, length: walk.at })
    }

    /// Returns a JPEG of one shade of grey, for samples.
    pub fn plain(width: u16, height: u16) -> Vec<u8> {
        let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
        let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
        let quantization = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
        let frame = [0xff, SOF0, 0, 11, 8, h1, h2, w1, w2, 1, 1, 0x11, 0];
        // One code of one bit in each table: no difference, and end of block.
        let table = |id: u8| [&[0xff, DHT, 0, 20, id, 1][..], &[0; 15], &[0]].concat();
        let scan = [0xff, SOS, 0, 8, 1, 1, 0, 0, 63, 0];
        let data = vec![0; (2 * blocks).div_ceil(8)];
        [&[0xff, SOI][..], &quantization, &frame, &table(0x00), &table(0x10), &scan, &data, &[0xff, EOI]].concat()
    }
}

/// A file on the way through it.
struct Walk<'a> {
    file: &'a [u8],
    at: usize,
    tables: Tables,
    /// Units between two restart markers; 0: no such markers.
    interval: u16,
    /// So many scans were begun.
    scans: usize,
    frame: Option<Frame>,
}

struct Frame {
    progressive: bool,
    width: u16,
    height: u16,
    /// Units of an interleaved scan, across and down.
    units: (usize, usize),
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Blocks of one unit of an interleaved scan, across and down.
    sampling: (usize, usize),
    /// Blocks that hold a pixel, across and down: the units of a scan of this component alone.
    blocks: (usize, usize),
    /// Blocks of a row, padding included.
    stride: usize,
    /// Of each block which coefficients are not zero, as far as a progressive frame was read.
    nonzero: Vec<u64>,
    /// A scan began with its first coefficient.
    coded: bool,
}

/// Huffman tables for the first and the other coefficients.
#[derive(Default)]
struct Tables {
    first: [Option<Huffman>; 4],
    others: [Option<Huffman>; 4],
}

/// A scan's part of the spectrum and of the bits.
#[derive(Clone, Copy)]
struct Band {
    start: u8,
    end: u8,
    refines: bool,
}

impl<'a> Walk<'a> {
    fn byte(&mut self) -> Result<u8, JpegError> {
        let byte = *self.file.get(self.at).ok_or(JpegError::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    /// Returns the code of the next marker; any number of fill bytes may stand before it.
    fn marker(&mut self) -> Result<u8, JpegError> {
        if self.byte()? != 0xff {
            return Err(JpegError::Malformed("bytes between its segments"));
        }
        loop {
            match self.byte()? {
                0xff => {}
                0 => return Err(JpegError::Malformed("bytes between its segments")),
                code => return Ok(code),
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], JpegError> {
        let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
        let length = length.checked_sub(2).ok_or(JpegError::Malformed("a segment shorter than its length"))?;
        let end = self.at + usize::from(length);
        let segment = self.file.get(self.at..end).ok_or(JpegError::Cut)?;
        self.at = end;
        Ok(segment)
    }

    fn frame(&mut self) -> Result<(), JpegError> {
        let progressive = self.file[self.at - 1] == SOF2;
        let segment = self.segment()?;
        let [precision, h1, h2, w1, w2, count, ref parts @ ..] = *segment else {
            return Err(JpegError::Malformed("a frame cut"));
        };
        let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
        if self.frame.is_some() || width == 0 || height == 0 || parts.len() != 3 * usize::from(count) {
            return Err(JpegError::Malformed("a frame that cannot be"));
        }
        if precision != 8 || !(1..=4).contains(&count) {
            return Err(JpegError::Unsupported);
        }
        if usize::from(width) * usize::from(height) > MOST_PIXELS {
            return Err(JpegError::TooLarge);
        }
        let samplings: Vec<(usize, usize)> =
            parts.chunks(3).map(|part| (usize::from(part[1] >> 4), usize::from(part[1] & 15))).collect();
        if samplings.iter().any(|(h, v)| !(1..=4).contains(h) || !(1..=4).contains(v)) {
            return Err(JpegError::Malformed("a sampling that cannot be"));
        }
        let most = |side: fn(&(usize, usize)) -> usize| samplings.iter().map(side).max().unwrap_or(1);
        let (across, down) = (most(|s| s.0), most(|s| s.1));
        let units = (usize::from(width).div_ceil(8 * across), usize::from(height).div_ceil(8 * down));
        let components = parts.chunks(3).zip(samplings).map(|(part, (h, v))| {
            let blocks = |side: u16, own: usize, all: usize| (usize::from(side) * own).div_ceil(all).div_ceil(8);
            let (stride, rows) = (units.0 * h, units.1 * v);
            Component {
                id: part[0],
                sampling: (h, v),
                blocks: (blocks(width, h, across), blocks(height, v, down)),
                stride,
                nonzero: if progressive { vec![0; stride * rows] } else { vec![] },
                coded: false,
            }
        });
        let components = components.collect();
        self.frame = Some(Frame { progressive, width, height, units, components });
        Ok(())
    }

    fn huffman_tables(&mut self) -> Result<(), JpegError> {
        let mut rest = self.segment()?;
        while let [head, counts @ ..] = rest {
            let malformed = JpegError::Malformed("a Huffman table that cannot be");
            let (counts, symbols) = counts.split_at_checked(16).ok_or(malformed)?;
            let number = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, after) = symbols.split_at_checked(number).ok_or(malformed)?;
            let tables = match head >> 4 {
                0 => &mut self.tables.first,
                1 => &mut self.tables.others,
                _ => return Err(malformed),
            };
            *tables.get_mut(usize::from(head & 15)).ok_or(malformed)? = Some(Huffman::new(counts, symbols));
            rest = after;
        }
        Ok(())
    }

    /// Walks one scan: header, then the blocks of its components, then on to the next marker.
    fn scan(&mut self) -> Result<(), JpegError> {
        let malformed = JpegError::Malformed("a scan that cannot be");
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(JpegError::Malformed("more scans than a picture has"));
        }
        let segment = self.segment()?;
        let frame = self.frame.as_mut().ok_or(malformed)?;
        let (count, rest) = segment.split_first().ok_or(malformed)?;
        let (parts, ends) = rest.split_at_checked(2 * usize::from(*count)).ok_or(malformed)?;
        let [start, end, approximation] = *ends else { return Err(malformed) };
        let band = if frame.progressive {
            Band { start, end, refines: approximation >> 4 != 0 }
        } else {
            Band { start: 0, end: 63, refines: false }
        };
        let fits = if frame.progressive && start == 0 { end == 0 } else { band.start <= band.end && band.end < 64 };
        if parts.is_empty() || !fits || (frame.progressive && start > 0 && parts.len() != 2) {
            return Err(malformed);
        }
        let mut coded = vec![];
        for part in parts.chunks(2) {
            let at = frame.components.iter().position(|component| component.id == part[0]).ok_or(malformed)?;
            frame.components[at].coded |= start == 0 || !frame.progressive;
            let table = |tables: &'_ [Option<Huffman>; 4], id: u8| tables.get(usize::from(id)).cloned().flatten();
            let first = table(&self.tables.first, part[1] >> 4);
            let others = table(&self.tables.others, part[1] & 15);
            coded.push((at, first, others));
        }
        let alone = coded.len() == 1;
        let (columns, rows) = if alone { frame.components[coded[0].0].blocks } else { frame.units };
        let mut bits = Bits { file: self.file, at: self.at, byte: 0, left: 0, end_of_band: 0 };
        for unit in 0..columns * rows {
            if self.interval > 0 && unit > 0 && unit % usize::from(self.interval) == 0 {
                bits.restart()?;
            }
            let (column, row) = (unit % columns, unit / columns);
            for (at, first, others) in &coded {
                let component = &mut frame.components[*at];
                let (across, down) = if alone { (1, 1) } else { component.sampling };
                for block in 0..across * down {
                    let x = column * across + block % across;
                    let y = row * down + block / across;
                    match component.nonzero.get_mut(y * component.stride + x) {
                        Some(nonzero) => bits.progressive(band, nonzero, first.as_ref(), others.as_ref())?,
                        None => bits.sequential(first.as_ref(), others.as_ref())?,
                    }
                }
            }
        }
        self.at = bits.next_marker()?;
        Ok(())
    }
}

/// Entropy-coded data, bit by bit.
struct Bits<'a> {
    file: &'a [u8],
    at: usize,
    byte: u8,
    left: u8,
    /// Blocks, this one included, that end with the band (progressive frames).
    end_of_band: u32,
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<u8, JpegError> {
        if self.left == 0 {
            self.byte = *self.file.get(self.at).ok_or(JpegError::Cut)?;
            self.at += 1;
            if self.byte == 0xff {
                match self.file.get(self.at) {
                    Some(0) => self.at += 1,
                    // A marker: no bit is left, and a block was expected.
                    Some(_) => return Err(JpegError::Rows),
                    None => return Err(JpegError::Cut),
                }
            }
            self.left = 8;
        }
        self.left -= 1;
        Ok(self.byte >> self.left & 1)
    }

    fn bits(&mut self, number: u8) -> Result<u32, JpegError> {
        (0..number).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.bit()?)))
    }

    fn symbol(&mut self, table: Option<&Huffman>) -> Result<u8, JpegError> {
        let table = table.ok_or(JpegError::Malformed("a scan without its Huffman table"))?;
        let mut code = 0;
        for (length, symbols) in table.lengths.iter().enumerate() {
            code = code << 1 | u32::from(self.bit()?);
            if let Some(at) = code.checked_sub(table.smallest[length]).filter(|at| (*at as usize) < symbols.len()) {
                return Ok(symbols[at as usize]);
            }
        }
        Err(JpegError::Malformed("a code that no table has"))
    }

    fn sequential(&mut self, first: Option<&Huffman>, others: Option<&Huffman>) -> Result<(), JpegError> {
        self.first(first)?;
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(others)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (_, 0) => return Ok(()),
                (zeros, size) => {
                    self.bits(size)?;
                    at += zeros + 1;
                }
            }
        }
        if at == 64 { Ok(()) } else { Err(JpegError::Malformed("a block of more than 64 coefficients")) }
    }

    /// The difference of the first coefficient.
    fn first(&mut self, table: Option<&Huffman>) -> Result<(), JpegError> {
        let size = self.symbol(table)?;
        if size > 15 {
            return Err(JpegError::Malformed("a difference that cannot be"));
        }
        self.bits(size).map(drop)
    }

    fn progressive(
        &mut self,
        band: Band,
        nonzero: &mut u64,
        first: Option<&Huffman>,
        others: Option<&Huffman>,
    ) -> Result<(), JpegError> {
        match (band.start, band.refines) {
            (0, false) => self.first(first),
            (0, true) => self.bit().map(drop),
            (_, false) => self.band(band, nonzero, others),
            (_, true) => self.refined_band(band, nonzero, others),
        }
    }

    /// First bits of a band of other coefficients (ISO/IEC 10918-1 G.1.2.2).
    fn band(&mut self, band: Band, nonzero: &mut u64, table: Option<&Huffman>) -> Result<(), JpegError> {
        if self.end_of_band > 0 {
            self.end_of_band -= 1;
            return Ok(());
        }
        let mut at = band.start;
        while at <= band.end {
            let symbol = self.symbol(table)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (run, 0) => {
                    self.end_of_band = (1 << run) - 1 + self.bits(run)?;
                    return Ok(());
                }
                (zeros, size) => {
                    at += zeros;
                    if at > band.end {
                        return Err(JpegError::Malformed("a block of more than 64 coefficients"));
                    }
                    self.bits(size)?;
                    *nonzero |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of a band of other coefficients (G.1.2.3): each that is not zero yet has a bit of its own.
    fn refined_band(&mut self, band: Band, nonzero: &mut u64, table: Option<&Huffman>) -> Result<(), JpegError> {
        let mut at = band.start;
        while self.end_of_band == 0 && at <= band.end {
            let symbol = self.symbol(table)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            if size == 0 && zeros < 15 {
                self.end_of_band = (1 << zeros) + self.bits(zeros)?;
                break;
            }
            // The sign of the new coefficient.
            self.bits(size)?;
            while at <= band.end {
                if *nonzero >> at & 1 == 1 {
                    self.bit()?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if size > 0 && at <= band.end {
                *nonzero |= 1 << at;
            }
            at += 1;
        }
        if self.end_of_band > 0 {
            for at in at..=band.end {
                if *nonzero >> at & 1 == 1 {
                    self.bit()?;
                }
            }
            self.end_of_band -= 1;
        }
        Ok(())
    }

    /// Passes the restart marker that is due.
    fn restart(&mut self) -> Result<(), JpegError> {
        let at = self.next_marker()?;
        match self.file[at..] {
            [0xff, 0xd0..=0xd7, ..] => (self.at, self.left, self.end_of_band) = (at + 2, 0, 0),
            _ => return Err(JpegError::Rows),
        }
        Ok(())
    }

    /// Returns where the next marker stands: some encoders fill up behind the last block.
    fn next_marker(&self) -> Result<usize, JpegError> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let found = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
        found.map(|at| self.at + at).ok_or(JpegError::Cut)
    }
}

/// A canonical Huffman code.
#[derive(Clone)]
struct Huffman {
    /// The symbols whose codes have 1, 2, … 16 bits.
    lengths: [Vec<u8>; 16],
    /// The smallest code of each length.
    smallest: [u32; 16],
}

impl Huffman {
    fn new(counts: &[u8], symbols: &[u8]) -> Self {
        let (mut lengths, mut smallest) = ([const { vec![] }; 16], [0; 16]);
        let (mut code, mut rest) = (0, symbols);
        for (at, count) in counts.iter().enumerate() {
            let (own, after) = rest.split_at(usize::from(*count));
            (lengths[at], smallest[at], rest) = (own.to_vec(), code, after);
            code = (code + u32::from(*count)) << 1;
        }
        Self { lengths, smallest }
    }
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOF0: u8 = 0xc0;
const SOF2: u8 = 0xc2;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const SOS: u8 = 0xda;
/// More than any camera at a counter takes.
const MOST_PIXELS: usize = 64_000_000;
/// A picture has about ten scans. Each one goes through all blocks, here and in every decoder, and one without a
/// coefficient has some tens of bytes: a small file of thousands would keep a processor busy for hours.
const MOST_SCANS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by libjpeg-turbo through Pillow; see `crypto/tests/data/jpeg/README.md`.
    const SAMPLES: [(&str, &[u8]); 5] = [
        ("baseline", include_bytes!("../../tests/data/jpeg/baseline.jpg")),
        ("grey", include_bytes!("../../tests/data/jpeg/grey.jpg")),
        ("progressive", include_bytes!("../../tests/data/jpeg/progressive.jpg")),
        ("progressive-444", include_bytes!("../../tests/data/jpeg/progressive-444.jpg")),
        ("restarts", include_bytes!("../../tests/data/jpeg/restarts.jpg")),
    ];

    #[test]
    fn whole_files_are_walked_to_their_end_marker() {
        for (name, file) in SAMPLES {
            let expected = Jpeg { width: 93, height: 71, length: file.len() };
            assert_eq!(Jpeg::parse(file), Ok(expected), "{name}");
            let more = [file, b"what a camera writes behind it"].concat();
            assert_eq!(Jpeg::parse(&more), Ok(expected), "{name}");
        }
        let plain = Jpeg::plain(480, 640);
        assert_eq!(Jpeg::parse(&plain), Ok(Jpeg { width: 480, height: 640, length: plain.len() }));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused() {
        for (name, file) in SAMPLES {
            for end in 0..file.len() {
                assert!(Jpeg::parse(&file[..end]).is_err(), "{name} cut at {end}");
            }
        }
    }

    /// A cut with an end marker put behind it. In a progressive file a cut between two scans is a whole picture of less
    /// detail, so there the cut lies in the first scan.
    #[test]
    fn missing_rows_are_refused_though_the_end_marker_is_there() {
        for (name, file) in SAMPLES {
            let scan = file.windows(2).position(|pair| pair == [0xff, SOS]).unwrap() + 14;
            let scan_end = scan
                + file[scan..]
                    .windows(2)
                    .position(|pair| pair[0] == 0xff && pair[1] & 0xf8 != 0xd0 && pair[1] != 0)
                    .unwrap();
            for end in scan..scan_end - 2 {
                let cut = [&file[..end], &[0xff, EOI]].concat();
                assert!(Jpeg::parse(&cut).is_err(), "{name} cut at {end} of {scan_end}");
            }
        }
    }

    #[test]
    fn what_is_no_jpeg_of_ours_is_refused() {
        assert_eq!(Jpeg::parse(b""), Err(JpegError::Cut));
        assert_eq!(Jpeg::parse(b"\x89PNG"), Err(JpegError::Malformed("bytes between its segments")));
        assert_eq!(Jpeg::parse(&[0xff, SOI, 0xff, EOI]), Err(JpegError::Malformed("no frame")));
        let mut arithmetic = Jpeg::plain(8, 8);
        let frame = arithmetic.windows(2).position(|pair| pair == [0xff, SOF0]).unwrap();
        arithmetic[frame + 1] = 0xc9;
        assert_eq!(Jpeg::parse(&arithmetic), Err(JpegError::Unsupported));
        let mut huge = Jpeg::plain(8, 8);
        huge[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        assert_eq!(Jpeg::parse(&huge), Err(JpegError::TooLarge));
    }

    #[test]
    fn a_file_of_many_scans_is_refused_before_they_are_walked() {
        // One block of no difference, then the rest of the spectrum, which is empty, again and again.
        let of = |scans: usize| {
            let mut file = Jpeg::plain(8, 8);
            let at = |file: &[u8], marker| file.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
            let frame = at(&file, SOF0);
            file[frame + 1] = SOF2;
            let first = at(&file, SOS);
            file.truncate(first);
            file.extend([0xff, SOS, 0, 8, 1, 1, 0, 0, 0, 0, 0]);
            file.extend([0xff, SOS, 0, 8, 1, 1, 0, 1, 63, 0, 0].repeat(scans - 1));
            file.extend([0xff, EOI]);
            file
        };
        assert!(Jpeg::parse(&of(MOST_SCANS)).is_ok());
        for scans in [MOST_SCANS + 1, 100_000] {
            assert_eq!(Jpeg::parse(&of(scans)), Err(JpegError::Malformed("more scans than a picture has")), "{scans}");
        }
    }

    proptest::proptest! {
        #[test]
        fn changed_bytes_are_walked_or_refused(sample in 0usize..5, at: usize, byte: u8) {
            let mut file = SAMPLES[sample].1.to_vec();
            let at = at % file.len();
            file[at] = byte;
            let _ = Jpeg::parse(&file);
        }
    }
}
