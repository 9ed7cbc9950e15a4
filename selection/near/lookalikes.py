"""Letters of other scripts that look like Latin ones, as the Latin letter that they look like.

By shape, along the lines of Unicode's confusables (Unicode Technical Standard 39, section 4) but far smaller: the
letters of living scripts that people type or tools put in place of Latin ones. They apply after compatibility forms,
accents and (but for ``CAPITALS``) case are undone.
"""

from __future__ import annotations

_CYRILLIC = ("авеѕіјкмнорстуԁѡхһԛԝгпьꙅӏԍғқҳҫңүұ", "abesijkmhopctydwxhqwrnbsigfkxchyy")
_GREEK = ("αβγεηικνορτυχωϲϳσμ", "abyenikvoptuxwcjou")  # by their small letters
_ARMENIAN = ("օսոհցզյաքլ", "ounhgqjwpl")
_CHEROKEE = ("ᎪᏴᏟᎠᎬᎻᏂᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᎽᏃᏀ", "abcdehhjklmprstvwyzg")
_SMALL_CAPITALS = ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz")
_LATIN = ("ıɡɑƅɩʋɯʀøłđħŧƙƥƭʠɦɓɗɠɱɲɵɼʂʐ", "igabiuwroldhtkptqhbdgmnorsz")
_GREEK_CAPITALS = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abezhikmnoptyx")


def _table(*pairs: tuple[str, str]) -> dict[int, str]:
    return str.maketrans({odd: plain for odds, plains in pairs for odd, plain in zip(odds, plains, strict=True)})


LETTERS = _table(_CYRILLIC, _GREEK, _ARMENIAN, _CHEROKEE, _SMALL_CAPITALS, _LATIN)  # small ones, after folding case
CAPITALS = _table(_GREEK_CAPITALS)  # where the small letter looks otherwise: Η is h, η is n
