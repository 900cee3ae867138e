//! Homoglyphs: letters that look like Latin ones, as in `ｐａｓｓｗｏｒｄ`, `pássword`, `ᴘᴀssᴡᴏʀᴅ`.

use std::borrow::Cow;

/// Letters with diacritics, small capitals, and superscript or subscript letters, by the letter that
/// they are read as: the compatibility decomposition of Unicode (NFKD) without its marks. Small capitals
/// are listed by hand, because Unicode decomposes none of them.
const VARIANTS: [(char, &str); 61] = [
    ('0', "⁰₀"),
    ('1', "₁"),
    ('2', "₂"),
    ('3', "₃"),
    ('4', "⁴₄"),
    ('5', "⁵₅"),
    ('6', "⁶₆"),
    ('7', "⁷₇"),
    ('8', "⁸₈"),
    ('9', "⁹₉"),
    ('A', "ÀÁÂÃÄÅĀĂĄǍǞǠǺȀȂȦḀẠẢẤẦẨẪẬẮẰẲẴẶᴬÅ🄰"),
    ('B', "ḂḄḆᴮℬ🄱"),
    ('C', "ÇĆĈĊČḈℂℭ🄲"),
    ('D', "ĎḊḌḎḐḒᴰ🄳Đ"),
    ('E', "ÈÉÊËĒĔĖĘĚȄȆȨḔḖḘḚḜẸẺẼẾỀỂỄỆᴱℰ🄴"),
    ('F', "Ḟℱ🄵"),
    ('G', "ĜĞĠĢǦǴḠᴳ🄶"),
    ('H', "ĤȞḢḤḦḨḪᴴℋℌℍ🄷Ħ"),
    ('I', "ÌÍÎÏĨĪĬĮİǏȈȊḬḮỈỊᴵℐℑ🄸"),
    ('J', "Ĵᴶ🄹"),
    ('K', "ĶǨḰḲḴᴷK🄺"),
    ('L', "ĹĻĽḶḸḺḼᴸℒ🄻Ł"),
    ('M', "ḾṀṂᴹℳ🄼"),
    ('N', "ÑŃŅŇǸṄṆṈṊᴺℕ🄽"),
    ('O', "ÒÓÔÕÖŌŎŐƠǑǪǬȌȎȪȬȮȰṌṎṐṒỌỎỐỒỔỖỘỚỜỞỠỢᴼ🄾Ø"),
    ('P', "ṔṖᴾℙ🄿"),
    ('Q', "ℚ🅀"),
    ('R', "ŔŖŘȐȒṘṚṜṞᴿℛℜℝ🅁"),
    ('S', "ŚŜŞŠȘṠṢṤṦṨ🅂"),
    ('T', "ŢŤȚṪṬṮṰᵀ🅃Ŧ"),
    ('U', "ÙÚÛÜŨŪŬŮŰŲƯǓǕǗǙǛȔȖṲṴṶṸṺỤỦỨỪỬỮỰᵁ🅄"),
    ('V', "ṼṾ🅅"),
    ('W', "ŴẀẂẄẆẈᵂ🅆"),
    ('X', "ẊẌ🅇"),
    ('Y', "ÝŶŸȲẎỲỴỶỸ🅈"),
    ('Z', "ŹŻŽẐẒẔℤℨ🅉"),
    ('a', "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặₐᵃᴀɑ"),
    ('b', "ḃḅḇᵇʙ"),
    ('c', "çćĉċčḉᴄ"),
    ('d', "ďḋḍḏḑḓᵈđᴅ"),
    ('e', "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệₑᵉℯᴇ"),
    ('f', "ḟꜰ"),
    ('g', "ĝğġģǧǵḡᵍℊɢɡ"),
    ('h', "ĥȟḣḥḧḩḫẖₕʰℎħʜ"),
    ('i', "ìíîïĩīĭįǐȉȋḭḯỉịⁱᵢɪɩ"),
    ('j', "ĵǰʲᴊ"),
    ('k', "ķǩḱḳḵₖᵏᴋ"),
    ('l', "ĺļľḷḹḻḽₗˡℓłʟ"),
    ('m', "ḿṁṃₘᵐᴍ"),
    ('n', "ñńņňǹṅṇṉṋⁿₙɴ"),
    ('o', "òóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợₒᵒℴøᴏɵ"),
    ('p', "ṕṗₚᵖᴘƿ"),
    ('r', "ŕŗřȑȓṙṛṝṟᵣʳʀ"),
    ('s', "śŝşšſșṡṣṥṧṩẛₛˢꜱ"),
    ('t', "ţťțṫṭṯṱẗₜᵗŧᴛ"),
    ('u', "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữựᵘᵤᴜ"),
    ('v', "ṽṿᵛᵥᴠʋ"),
    ('w', "ŵẁẃẅẇẉẘʷᴡɯ"),
    ('x', "ẋẍₓˣ"),
    ('y', "ýÿŷȳẏẙỳỵỷỹʸʏ"),
    ('z', "źżžẑẓẕᴢ"),
];

/// Replaces each homoglyph by the Latin letter that it looks like, and removes diacritics and invisible
/// characters. The result is for comparison, not for display.
pub(super) fn to_ascii_letters(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(to_ascii_letter).collect())
}

fn to_ascii_letter(c: char) -> Option<char> {
    const LATIN: [char; 52] = {
        let (mut letters, mut at) = (['A'; 52], 0_u8);
        while at < 26 {
            letters[at as usize] = (b'A' + at) as char;
            letters[at as usize + 26] = (b'a' + at) as char;
            at += 1;
        }
        letters
    };
    let offset = |first: u32, letters: &[char]| {
        letters.get((u32::from(c) - first) as usize % letters.len()).copied()
    };
    match c {
        _ if c.is_ascii() => Some(c),
        // Invisible: soft hyphen, combining marks, joiners, marks of direction, variation selectors, tags.
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' => None,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => None,
        '\u{e0000}'..='\u{e0fff}' => None,
        // Full-width forms, then circled and mathematical letters.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xff01 + 0x21),
        '\u{24b6}'..='\u{24e9}' => offset(0x24b6, &LATIN),
        '\u{1d400}'..='\u{1d6a3}' => offset(0x1d400, &LATIN),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        'а' | 'α' => Some('a'),
        'е' | 'ε' => Some('e'),
        'о' | 'ο' => Some('o'),
        'р' | 'ρ' => Some('p'),
        'с' | 'ϲ' => Some('c'),
        'у' | 'γ' => Some('y'),
        'х' | 'χ' => Some('x'),
        'і' | 'ι' | 'ı' => Some('i'),
        'ѕ' | 'ſ' => Some('s'),
        'ј' => Some('j'),
        'һ' => Some('h'),
        'ԁ' => Some('d'),
        'ԝ' | 'ω' => Some('w'),
        'к' | 'κ' => Some('k'),
        'т' | 'τ' => Some('t'),
        'ν' => Some('v'),
        'п' | 'η' => Some('n'),
        'υ' => Some('u'),
        'А' | 'Α' => Some('A'),
        'В' | 'Β' => Some('B'),
        'Е' | 'Ε' => Some('E'),
        'Н' | 'Η' => Some('H'),
        'І' | 'Ι' => Some('I'),
        'К' | 'Κ' => Some('K'),
        'М' | 'Μ' => Some('M'),
        'Ν' => Some('N'),
        'О' | 'Ο' => Some('O'),
        'Р' | 'Ρ' => Some('P'),
        'С' => Some('C'),
        'Ѕ' => Some('S'),
        'Т' | 'Τ' => Some('T'),
        'У' | 'Υ' => Some('Y'),
        'Х' | 'Χ' => Some('X'),
        c => Some(without_diacritics(c)),
    }
}

fn without_diacritics(c: char) -> char {
    VARIANTS.iter().find(|(_, variants)| variants.contains(c)).map_or(c, |(letter, _)| *letter)
}
