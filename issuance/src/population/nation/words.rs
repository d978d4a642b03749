//! The words of names. Order is rough frequency, first word commonest; shares of surnames are those commonly printed
//! for the Kinh, everything else is only of the right shape. No list describes a real person.

/// Surnames of the Kinh with their shares, per ten thousand; the rest share what is left, by rank.
pub(super) const SURNAMES: &[(&str, u32)] = &[
    ("Nguyễn", 3840),
    ("Trần", 1100),
    ("Lê", 950),
    ("Phạm", 710),
    ("Hoàng", 290),
    ("Huỳnh", 220),
    ("Phan", 450),
    ("Vũ", 210),
    ("Võ", 180),
    ("Đặng", 210),
    ("Bùi", 200),
    ("Đỗ", 140),
    ("Hồ", 130),
    ("Ngô", 130),
    ("Dương", 100),
    ("Lý", 50),
];

/// Surnames behind those.
pub(super) const MORE_SURNAMES: &str = "Đinh Trương Đoàn Lương Mai Trịnh Lâm Đào Cao Tạ Phùng Hà Tô Thái Châu Tống \
    Chu Quách La Thân Kiều Hứa Tăng Vương Triệu Nghiêm Doãn Lưu Từ Quang Khổng Văn Thạch Mạc Đàm Lại Bạch Viên Ông \
    Giang Thiều Ninh Bành Ứng Diệp Tôn Chung Uông Nhâm Âu Cù Cung Sầm Trà Phí Lục Hàn Tiêu Kim Khúc Vi Lã Lạc Trang Ngụy \
    Đậu Hạ Mẫn Nhan Thi Tất Ưng Kha Cái Thẩm Lữ Mã Khuất Đồng Biện Đới Nông Bàng Thới Bồ Liêu Ung Giáp Âm Ân Đường Bế";

/// Middle names of men.
pub(super) const MIDDLE_MEN: &str = "Minh Đức Quang Hữu Xuân Đình Công Ngọc Thanh Quốc Tuấn Anh Trọng Hoàng Duy Gia Bá Viết \
    Thành Mạnh Hồng Tiến Trung Thế Phú Nhật Bảo Khánh Hải Chí Việt Đăng Tấn Phước Hoài Vĩnh Nguyên Thái Huy Phúc Trường \
    Kim Sỹ Danh Cao Khắc Huỳnh Thiên An Quý Như Kiến Phi Hùng Song Đại Lê Trí Tùng Nam Bình Hưng Vũ Hiếu Đông Đắc Lâm \
    Nhân Tường Bửu Thuận Trần Doãn Phong Khải Mậu Chấn Cảnh Vinh Đoàn Tử Hà Sơn Quyết Long Triều Châu Thượng Ích";

/// Middle names of women.
pub(super) const MIDDLE_WOMEN: &str = "Ngọc Thu Thanh Kim Minh Hồng Phương Mỹ Thùy Bích Hoài Diễm Tuyết Quỳnh Bảo Khánh Như Mai \
    Ánh Hà Lan Huyền Cẩm Tú Yến Trúc Thảo Vân Xuân Kiều Diệu Gia Hải Hoàng Anh Ngân Nhật Linh Lệ Thúy Tường Hương Phúc \
    Thiên Uyên Vy Cát An Trâm Hạnh Tâm Mộng Nguyệt Bạch Châu Ái Đoan Thục Hạ Hiền Lâm Nhã Phước Tố Việt Trà Đan Hoa Huệ \
    Quế Băng Thiện Yên Ý Song Ninh Nhung Vương Bội Thy Đông Giáng Thụy Tiểu Thái Nam Tịnh Chi Loan Liên Nữ";

/// Given names of men born before 1970.
pub(super) const MEN_OF_BEFORE: &str = "Hùng Thành Bình Sơn Dũng Minh Hải Thắng Hòa Tâm Tài Lâm Phúc Cường Quang Long Lợi Thanh Xuân \
    Chiến Hoàng Hưng Đức Nam Tân Mạnh Tiến Toàn Vinh Hồng Đông Thọ Lộc Phước Nghĩa Nhân Trung Dần Tý Sửu Mão Thìn Tỵ Ngọ \
    Mùi Thân Dậu Tuất Hợi Bảy Tám Chín Mười Sáu Năm Tư Ba Hai Út Cả Lượng Khánh Bảo Ngọc Châu Giang Hà Hậu Hiệp Hiền Hiếu \
    Hiệu Hoan Hội Huấn Kháng Khiêm Khoa Kiên Kỳ Lập Liêm Liên Luận Lực Lương Lý Mẫn Mậu Mười Nghị Ngô Nhẫn Nhị Ninh Oanh \
    Phán Phi Phú Quân Quế Quyết Quý Sang Sáng Sinh Sỹ Tá Tấn Thạch Thái Thân Thảo Thiện Thịnh Thôn Thông Thơ Thu Thuận \
    Thủy Thường Tích Tín Tính Tình Tịnh Trí Triển Trọng Trụ Trực Tụ Tuân Tuy Tường Tửu Tỵ Ước Vân Văn Viên Việt Vượng Xá \
    Yên Ân Ánh Bốn Cảnh Can Cần Chất Chỉ Chính Chung Chúng Công Cúc Củng Cừ Dân Diệm Do Doanh Duệ Dực Đa Đài Đán Đảm Đạo \
    Đặng Đệ Điền Điều Đính Định Đoàn Đôn Đồng Đua Được Đường Giáp Hạnh Hinh Hoạch Hoạt Huệ Huyến Khải Khang Khôi Khuê";

/// Given names of men born from 1970 to 1994.
pub(super) const MEN: &str = "Tuấn Hùng Dũng Cường Thắng Anh Hải Nam Minh Sơn Đức Thành Hiếu Trung Hoàng Linh Tùng Hưng Quang Long \
    Bình Phương Việt Tâm Kiên Tú Tài Quân Mạnh Phong Toàn Trường Vũ Đạt Nghĩa Huy Giang Hòa Phúc Lâm Khánh Duy Vinh Công \
    Lộc Thịnh Thuận Tiến Nhân Tân Luân Chung Chiến Tuyên Cảnh Quyết Hà Thái Vương Dương Lực Ngọc Lợi Thanh Thiện Phú Định \
    Hậu Đông Hiệp Khoa Khôi Hoan Hoài An Bảo Biên Cương Chính Doanh Duẩn Điệp Hào Hiển Hội Huân Khang Khiêm Kỳ Lương Nghị \
    Nhật Ninh Phi Phước Quốc Quý Quyền Sang Sáng Sĩ Tấn Thạch Thăng Thi Thiên Thông Thế Thọ Thức Tín Tình Toản Trí Triều \
    Trọng Trực Trưởng Tuân Tùy Tuyến Tường Vĩ Viễn Vịnh Xuân Ân Bách Bằng Bính Cang Chí Chương Danh Du Đăng Đại Đoàn Hợp \
    Hữu Khương Kiệt Lãm Luật Lưu Mẫn Nguyên Nhã Pháp Phát Sinh Sỹ Tài Thạnh Thân Thuần Thụy Tiệp Tráng Triệu Trình Vỹ Yên";

/// Given names of boys born since 1995.
pub(super) const BOYS: &str = "Huy Minh Anh Khang Bảo Long Nam Phúc Khoa Đạt Hiếu Khôi Quân Hoàng Phong Đức Duy Tuấn Kiệt Thịnh \
    Nguyên Khánh Nhật Thành Lâm Dũng Hưng Hải Trung Nhân Phát Tùng Sơn Tài Kiên Hùng Vinh Tiến Cường Quang An Bình Dương \
    Thiên Việt Trí Tú Vũ Lộc Nghĩa Đăng Phú Linh Toàn Thắng Trường Tân Tâm Mạnh Thiện Hào Tín Quốc Đan Gia Giang Hậu Luân \
    Vương Trọng Thuận Ân Bách Chiến Công Cương Danh Doanh Đông Hòa Hội Hữu Khải Khiêm Lợi Lực Nghị Ngọc Phước Quyền Quyết \
    Quý Sang Thái Thạch Thông Triết Tường Uy Văn Vĩ Viễn Vỹ Xuân Bin Bảo Bằng Bửu Cảnh Cao Châu Chí Chung Chính Duẩn Đại \
    Đoàn Đồng Hân Hiển Hiệp Hoan Huân Khương Kỳ Lân Lập Luật Mẫn Nhiên Ninh Pháp Phi Phương Quyến Sinh Tấn Thân Thọ Thức";

/// Given names of women born before 1970.
pub(super) const WOMEN_OF_BEFORE: &str = "Lan Hoa Hương Hồng Mai Liên Thu Nga Bình Cúc Hà Loan Minh Nhung Phương Tâm Thanh Thủy Hiền \
    Hòa Lý Ngọc Tuyết Vân Xuân Yến Dung Hạnh Hằng Hải Huệ Kim Lành Lợi Lương Mười Năm Sáu Bảy Tám Chín Tư Ba Hai Út Nguyệt \
    Nụ Oanh Phúc Quế Quý Sen Sinh Thắm Thảo Thìn Tý Sửu Dần Mão Tỵ Ngọ Mùi Thân Dậu Tuất Hợi Thọ Thơm Thoa Thơ Thuận Thuần \
    Thúy Tiến Tình Tính Trinh Tú Tuyến Ước Vinh Vui Vượng Xoan Xuyến Ánh Ái Bé Bích Bông Bốn Bưởi Cam Chanh Châm Chiên \
    Chung Chữ Dịu Diễm Duyên Dư Đào Điệp Đoan Đông Gái Gấm Hai Hảo Hậu Hiên Hợi Hường Khánh Khuyên Lài Lạc Lâm Lê Lệ Liễu \
    Lụa Luyến Lựu Mận Mão Mẫn Miên Miện Mừng Mỵ Mỹ Na Nậm Nết Nên Ngà Ngân Ngát Nghĩa Ngoan Ngọ Nhài Nhàn Nhâm Nhị Nhiễu \
    Nhu Nhường Ninh Phấn Phụng Quyên Quyết Sang Sáng Soan Tấm Tẻo Thao Thềm Thiện Thoan Thơi Thứ Thục Thường Tiếp Tịnh Tơ";

/// Given names of women born from 1970 to 1994.
pub(super) const WOMEN: &str = "Hương Hà Thủy Lan Hằng Hạnh Hoa Thảo Linh Trang Phương Nga Mai Huyền Thu Ngọc Hiền Nhung Oanh Yến Dung \
    Tuyết Loan Vân Thúy Anh Hồng Liên Hòa Tâm Xuân Thanh Hường Lý Giang Minh Ngân Châu Quỳnh Tuyền Trinh Tú Duyên Diệp Dương \
    Vy My Ly Chi Nhàn Nguyệt Quyên Trâm Trúc Uyên Bình Bích Cúc Diễm Diệu Đào Điệp Gấm Hậu Hiên Hiếu Hoài Hoan Huế Huệ Khánh \
    Khuyên Kiều Lài Lam Lành Lâm Lệ Len Lê Lĩnh Lợi Luyến Lương Mến Miền Mơ Mỹ Na Ngà Nghĩa Ngoan Nhã Nhâm Nhi Nhiên Như Nương \
    Phấn Phúc Phượng Quế Quý Sen Sương Tân Thái Thắm Thêu Thi Thoa Thơ Thơm Thúy Thùy Thư Thục Thương Tiên Tình Toan Tố Trà Triều \
    Tuyến Tươi Uyên Viên Vui Xoan Xuyến Yên Ái Ánh Ân Bé Băng Cẩm Chinh Chung Cương Doan Hảo Hân Hiệp Hợp Hợi Hưng Hữu";

/// Given names of girls born since 1995.
pub(super) const GIRLS: &str = "Anh Linh Vy Ngọc Nhi Trang My Thảo Hân Chi Hà Phương Châu Ngân Mai Trâm Thư Quỳnh Như An Uyên Yến Hương \
    Huyền Ly Giang Trúc Tiên Duyên Khánh Nhung Vân Lan Hằng Diệp Lam Hiền Tuyền Dương Minh Thùy Thủy Thúy Tú Trinh Oanh Hạnh Nga \
    Trà San Ánh Băng Bình Cúc Dung Đan Đào Gia Hoa Hoài Hồng Huệ Kiều Khuê Kim Lâm Lê Loan Mỹ Mẫn Nguyệt Nguyên Nhiên Nhật Nương \
    Phúc Phượng Quế Quyên Sương Thanh Thi Thiên Thu Thương Thy Tâm Tuệ Tường Vi Viên Xuân Xuyến Yên Ân Bảo Bích Cát Cẩm Diễm Diệu \
    Di Hạ Hải Hậu Hiếu Hoan Khuyên Lệ Liên Linh Mây Mi Mơ Na Nghi Ngà Nhã Nhàn Ninh Nữ Phụng Quý Sa Thắm Thơ Thơm Thục Tình Tố Vui";

/// A people with names of its own: code of the group, surnames, given names of men and of women, and the form.
pub(super) type People = (u8, &'static str, &'static str, &'static str, Form);

/// How a full name is put together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Surname, middle name, given name, as the Kinh do.
    Kinh,
    /// Surname, `A` or `Thị`, given name (HMông).
    Hmong,
    /// Surname and given name, which may have two words (Khơ-me, Chăm, Gia-rai).
    Plain,
    /// `Y` or `H'`, given name, and the surname last (Ê-đê, Mnông).
    SurnameLast,
    /// `A` or `Y` and the given name: no surname (Xơ-Đăng, Gié Triêng, Ba na).
    NoSurname,
    /// `K'` or `Ka` and the given name: no surname (Cơ-ho, Mạ).
    Highland,
}

/// Peoples whose names are not those of the Kinh.
pub(super) const PEOPLES: &[People] = &[
    (2, "Nông Hoàng Lý Ma Bế Lương Triệu Hà Nguyễn Lục Đàm Vi Hứa Bàn Chu Quan Hoàng", "", "", Form::Kinh),
    (3, "Lò Cầm Quàng Hà Vi Lường Điêu Cà Tòng Lộc Lô Lang Vang Kha Bạc Hoàng Đèo Ngân", "", "", Form::Kinh),
    (4, "Trần Lý Lâm Huỳnh Quách Vương Trương Châu Mã Tăng Trịnh Thái Lưu Phùng Diệp Quan", "", "", Form::Kinh),
    (
        5,
        "Thạch Sơn Kim Danh Châu Lâm Trần Lý Tăng Đào Thị Kiên Chau Néang Liêu",
        "Sa Rương|Phi Rum|Sô Phal|Sóc Kha|Út|Sang|Ma Rinh|Chanh Đa|Si Phal|Sa Rết|Na Ri|Hoàng|Thươl|Bình|Rây|Sà Mết|Thành|Sa Oanh|Phước|Đê|Vuông|Hiền|Sô|Khel",
        "Sô Phia|Thị Sa Rươne|Thị Phương|Sa Vi|Thị Thu|Sô Khom|Thị Diệu|Na Ry|Thị Sà Phết|Thị Phal|Rach Tha|Thị Lan|Thị Sa|Chanh Thu|Thị Ngọc|Thị Hương|Sa Ly",
        Form::Plain,
    ),
    (6, "Bùi Quách Đinh Hà Phạm Cao Trương Nguyễn Hoàng Xa Bạch Lê", "", "", Form::Kinh),
    (7, "Nông Hoàng Lương Vi Lý Triệu Chu Lâm Mông Hứa Phùng Đàm Lăng Vy Tô", "", "", Form::Kinh),
    (
        8,
        "Giàng Vàng Sùng Thào Lầu Lý Mùa Hờ Cư Vừ Hạng Ly Má Tráng Chang Thò Sính Phàng Lù Già",
        "Páo|Sử|Tủa|Chu|Dế|Lử|Pao|Sình|Vàng|Chớ|Dơ|Phử|Sùng|Nủ|Tính|Hồ|Của|Lềnh|Mua|Sáu|Thào|Chía|Pó|Của|Vảng|Khua|Nhìa",
        "Mỷ|Sua|Dở|Pà|Mảy|Xay|Chi|Dí|Mái|Già|Sông|Chở|Dua|Mo|Ví|Máy|Cở|Súa|Dợ|Say|Lia|Chư|Xua|Ganh|Vá|Pla",
        Form::Hmong,
    ),
    (9, "Triệu Bàn Đặng Phùng Lý Chảo Tẩn Phàn Dương Hoàng Chìu Lò", "", "", Form::Kinh),
    (
        10,
        "Rơ Châm|Siu|Ksor|Kpă|Rmah|Nay|Rơ Lan|Puih|Rah Lan|Kpuih|Rơ Mah|Ralan|Hiao",
        "Bình|Thuận|Phen|Hyil|Khưn|Blưn|Tư|Lưn|Pyưn|Blơl|Kham|Thăng|Nghĩa|Tuấn|Chiêm|Ngơi|Thin",
        "H'Len|H'Nga|H'Bia|H'Lan|H'Nhiên|H'Pyưn|H'Phương|H'Linh|H'Blơi|H'Yen|H'Thu|H'Duyên|H'Chăm",
        Form::Plain,
    ),
    (
        12,
        "Niê|Êban|Mlô|Ayun|Kbuôr|Knul|Bkrông|Adrơng|Hmok|Ktla|Êya|Byă|Niê Kdăm|Buôn Yă|Kpơr",
        "Moan|Thiêm|Blia|Nguyên|Wem|Hiu|Dhin|Krông|Thông|Hoan|Kô|Brê|Sa|Lim|Đôn|Kim|Phi|Yam",
        "Hen|Len|Wên|Nga|Blâm|Mai|Linh|Bích|Rơi|Yuăn|Loan|Ngọc|Thuyết|Đăm|Mrah|Phương|Juel",
        Form::SurnameLast,
    ),
    (
        13,
        "",
        "Brôl|Nhên|Thơm|Hlông|Thuih|Byưn|Bao|Hmưnh|Khươn|Ngưm|Sưk|Yưk|Đơn|Hrek",
        "Nhan|Blưi|Hlơi|Yưn|Mưn|Thêm|Ngân|Lan|Hnơm|Phưn|Byơt|Sôn",
        Form::NoSurname,
    ),
    (
        14,
        "",
        "Thút|Lang|Bình|Xuân|Hùng|Nhuk|Đum|Brốc|Tiêng|Phương|Xem|Viên|Hlum|Kiu",
        "Lan|Đíu|Nhar|Xuân|Brai|Hương|Sương|Nga|Gieo|Phiên|Mai|Bler",
        Form::NoSurname,
    ),
    (
        16,
        "",
        "Tin|Brèo|Brếp|Bròi|Tuyên|Minh|Thanh|Jút|Sáu|Bảo|Linh|Dung|Thế|Ngọc",
        "Hương|Thị|Duyên|Ngân|Trinh|Thoa|Hà|Phiên|Sáu|Tuyền|Vân|Linh",
        Form::Highland,
    ),
    (
        17,
        "Bá|Kiều|Đàng|Thập|Qua|Thiên|Từ|Quảng|Lưu|Báo|Châu|Phú|Đạo|Hán|Thành",
        "Minh Trí|Văn Tư|Năng Bổ|Xuân Tuấn|Ngọc Sơn|Sa Lêh|Đen|Văn Ngọc|Trung|Hữu|Thanh|Du Sô|Ma Lik",
        "Thị Hoa|Thị Nữ|Thị Thu Hà|Kim Liên|Thị Mách|Sa Ki Rah|Thị Chiến|Thị Mỹ|Ro Phi Ah|Thị Hạnh",
        Form::Plain,
    ),
    (18, "Lục Trương Diệp Ninh Trần Lâm Từ Lý Tạ Hoàng", "", "", Form::Kinh),
    (
        20,
        "Bing|Buôn Krông|Rlưk|Ksơr|Liêng|Ông|Du|Triêk",
        "Thim|Krang|Bơng|Xuyên|Tha|Lê|Mây|Khiêm|Nô",
        "Mai|Bông|Grai|Yơn|Dưm|Thương|Rim|Jang",
        Form::SurnameLast,
    ),
    (
        21,
        "Chamaléa|Pi Năng|Ka Tơr|Mấu|Cao|Bo Bo|Tro|Pupur|Katơr",
        "Thanh|Điệp|Hùng|Xuân Lợi|Văn Đông|Tiến|Nhong|Minh",
        "Thị Bé|Thị Diệp|Thị Thắm|Thị Hà|Thị Liễu|Thị Mây",
        Form::Plain,
    ),
    (
        22,
        "Điểu",
        "Ron|Bé|Khiêm|Lên|Sơn|Hùng|Nhơn|Minh|Xia|Thanh",
        "Thị Hồng|Thị Nhung|Thị Bé|Thị Ngọc|Thị Lan|Thị Mai",
        Form::Plain,
    ),
    (
        23,
        "Hồ",
        "Văn Thới|Văn Pâng|Văn Xơi|Mơ|Văn Bia|Văn Hinh|Pả Cương",
        "Thị Mai|Thị Lới|Thị Nơi|Thị Thương|Thị Pỉ|Thị Xoan",
        Form::Plain,
    ),
    (27, "", "Phương|Nghĩa|Bla|Đứt|Hiêng|Thảo|Liêng|Nhun", "Đoan|Hin|Liêng|Thúy|Nhơn|Phen|Mưn", Form::NoSurname),
    (28, "", "Diếu|Glo|Kré|Lanh|Thoại|Wẹ|Tiêu", "Mâng|Bừng|Huệ|Nhổi|Đào|Rẻm", Form::Highland),
    (29, "Lò Quàng Vì Cụt Moong Lương Xeo Hoa Ven", "", "", Form::Kinh),
    (35, "Lý Chu Pờ Vàng Phùng Sừng Toán Ky", "", "", Form::Kinh),
];
