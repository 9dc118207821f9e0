"""Keys of further services that tools of an agent call: one class for all, `vendor-key`.

A row: what such keys begin with, the pattern, an example (made up).
"""

from __future__ import annotations

from convo_replay.redaction.classes.entry import A_DIGIT, DOCS, HEX, LEFT, Class, by_pattern, by_prefix

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("nvapi-", r"nvapi-[\w-]{40,}", "nvapi-" + "Ex4mple" * 9),
    ("csk-", r"csk-" + A_DIGIT + r"[A-Za-z0-9]{40,}", "csk-" + "ex4mple" * 7),
    ("tgp_v1_", r"tgp_v1_[\w-]{30,}", "tgp_v1_" + "Ex4mple" * 6),
    ("fw_", r"fw_(?=[A-Za-z]{0,30}\d)[A-Za-z0-9]{20,}(?![\w-])", "fw_" + "Ex4mple" * 4),
    ("sk_", r"sk_[0-9a-f]{48}(?![\w-])", "sk_" + HEX * 3),
    ("ek_", r"ek_" + A_DIGIT + r"[0-9a-f]{30,}(?![\w-])", "ek_" + HEX * 2),
    ("fc-", r"fc-[0-9a-f]{32}(?![\w-])", "fc-" + HEX * 2),
    ("pcsk_", r"pcsk_[\w-]{40,}", "pcsk_" + "Ex4mple" * 9),
    ("e2b_", r"e2b_[0-9a-f]{40}(?![\w-])", "e2b_" + HEX * 2 + "01234567"),
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}", "ntn_" + "Ex4mple" * 7),
    ("secret_", r"secret_" + A_DIGIT + r"[A-Za-z0-9]{43}(?![\w-])", "secret_" + "Ex4mple" * 6 + "1"),
    ("lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}", "lin_api_" + "Ex4mple" * 6),
    ("shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}(?![\w-])", "shpat_" + HEX * 2),
    (
        "dp.ct. dp.pt. dp.st. dp.sa.", r"dp\.(?:ct|pt|st|sa)\.(?:[\w-]{2,35}\.)?[A-Za-z0-9]{40,}",
        "dp.pt." + "Ex4mple" * 6 + "1",
    ),
    ("hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{24,}", "hvs." + "Ex4mple" * 13),
    ("pul-", r"pul-[0-9a-f]{40}(?![\w-])", "pul-" + HEX * 2 + "01234567"),
    ("sntrys_ sntryu_", r"sntry[su]_[\w+/=-]{40,}", "sntryu_" + HEX * 4),
    ("glsa_ glc_", r"gl(?:sa|c)_[\w+/-]{32,}={0,2}", "glsa_" + "Ex4mple" * 5 + "_01234567"),
    ("PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{30,}", "PMAK-" + HEX[:12] * 2 + "-" + HEX * 2),
    ("ATATT3", r"ATATT3[\w=-]{60,}", "ATATT3" + "Ex4mple" * 12),
    ("figd_", r"figd_[\w-]{36,}", "figd_" + "Ex4mple" * 6),
    ("sq0atp- sq0csp- sq0idp-", r"sq0(?:atp|csp|idp)-[\w-]{22,}", "sq0atp-" + "Ex4mple" * 4),
    ("sbp_ sb_secret_", r"sb(?:p_[0-9a-f]{40}|_secret_[\w-]{20,})(?![\w-])", "sbp_" + HEX * 2 + "01234567"),
    ("dckr_", r"dckr_(?:pat|oat)_[\w-]{24,}", "dckr_pat_" + "Ex4mple" * 4),
    ("nfp_", r"nfp_[A-Za-z0-9]{32,}", "nfp_" + "Ex4mple" * 6),
    ("rubygems_", r"rubygems_[0-9a-f]{40,}", "rubygems_" + HEX * 3),
    ("phx_", r"phx_[A-Za-z0-9]{40,}", "phx_" + "Ex4mple" * 6),
    ("NRAK-", r"NRAK-[A-Z0-9]{20,}", "NRAK-" + "EX4MPLE" * 4),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}", "AGE-SECRET-KEY-1" + "EX4MPLE" * 8),
    ("pscale_", r"pscale_(?:tkn|oauth|pw)_[\w=.-]{30,}", "pscale_tkn_" + "Ex4mple" * 6),
    (
        "sk-helicone- pk-helicone-", r"[sp]k-helicone-(?:[a-z]{2}-)?[A-Za-z0-9]{7}(?:-[A-Za-z0-9]{7}){3}",
        "sk-helicone-" + "-".join(["ex4mple"] * 4),
    ),
    ("sess-", r"sess-" + A_DIGIT + r"[A-Za-z0-9]{40}(?![\w-])", "sess-" + "Ex4mple1" * 5),
    ("pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}(?![\w-])", "pat" + "Ex4mple" * 2 + "." + HEX * 4),
    ("HRKU-AA", r"HRKU-AA[\w-]{40,}", "HRKU-AA" + "Ex4mple" * 8),
    ("ATBB", r"ATBB" + A_DIGIT + r"[A-Za-z0-9]{32}(?![\w-])", "ATBB" + "Ex4mple1" * 4),
    ("ATCTT3", r"ATCTT3[\w=-]{60,}", "ATCTT3" + "Ex4mple" * 12),
    ("vcp_ vci_ vca_ vcr_ vck_", r"vc[piark]_" + A_DIGIT + r"[A-Za-z0-9]{24,}", "vcp_" + "Ex4mple" * 8),
    ("ops_eyJ", r"ops_eyJ[\w+/=-]{100,}", "ops_eyJ" + "Ex4mple" * 20),
    ("aio_", r"aio_" + A_DIGIT + r"[A-Za-z0-9]{28}(?![\w-])", "aio_" + "Ex4mple" * 4),
    ("AKCp", r"AKCp[A-Za-z0-9]{60,}", "AKCp" + "Ex4mple" * 10),
    ("CLOJARS_", r"CLOJARS_[a-z0-9]{60}", "CLOJARS_" + "ex4mple1" * 8),
    ("CFPAT-", r"CFPAT-[\w-]{40,}", "CFPAT-" + "Ex4mple" * 7),
    ("duffel_", r"duffel_(?:test|live)_[\w=-]{40,}", "duffel_test_" + "Ex4mple" * 7),
    ("dt0", r"dt0[a-z]\d\d\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}", "dt0c01." + "EX4MPLE1" * 3 + "." + "EX4MPLE1" * 8),
    ("EZAK EZTK", r"EZ[AT]K" + A_DIGIT + r"[A-Za-z0-9]{54}(?![\w-])", "EZAK" + "Ex4mple" * 7 + "Ex4mp"),
    ("FLWSECK", r"FLWSECK(?:_TEST)?-[a-z0-9]{12,}(?:-X)?", "FLWSECK_TEST-" + "0123abcd" * 4 + "-X"),
    ("fo1_ fm1a_ fm1r_ fm2_", r"f(?:o1|m1[ar]|m2)_[\w+/-]{40,}={0,3}", "fm2_" + "Ex4mple" * 8),
    ("ico-", r"ico-" + A_DIGIT + r"[A-Za-z0-9]{32}(?![\w-])", "ico-" + "Ex4mple1" * 4),
    ("pnu_ pnb_", r"pn[ub]_" + A_DIGIT + r"[A-Za-z0-9]{36}(?![\w-])", "pnu_" + "Ex4mple1" * 4 + "Ex4m"),
    ("rdme_", r"rdme_[a-z0-9]{60,}", "rdme_" + "ex4mple" * 10),
    ("xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[0-9a-f]{64}-[A-Za-z0-9]{16}", "xkeysib-" + HEX * 4 + "-" + HEX),
    ("shippo_", r"shippo_(?:live|test)_[0-9a-fA-F]{40}", "shippo_test_" + HEX * 2 + "01234567"),
    ("sqp_ squ_ sqa_", r"sq[pua]_[0-9a-f]{40}(?![\w-])", "sqp_" + HEX * 2 + "01234567"),
    (
        "sgp_", r"sgp_(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}(?![\w-])",
        "sgp_local_" + HEX * 2 + "01234567",
    ),
    ("AQVN", r"AQVN[\w-]{35,}", "AQVN" + "Ex4mple" * 5),
    ("re_", r"re_" + A_DIGIT + r"[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}(?![\w-])", "re_" + "Ex4mple1_" + "Ex4mple" * 3),
    ("bkua_ bkct_", r"bk(?:ua|ct)_[0-9a-f]{40}(?![\w-])", "bkua_" + HEX * 2 + "01234567"),
    ("CCIPAT_ CCIPRJ_", r"CCIP(?:AT|RJ)_[A-Za-z0-9]{16,}_[0-9a-f]{40}", "CCIPAT_" + HEX + "_" + HEX * 2 + "01234567"),
    ("esecret_", r"esecret_[a-z0-9]{24,}", "esecret_" + "ex4mple" * 4),
    ("rpa_", r"rpa_" + A_DIGIT + r"[A-Z0-9]{36,}", "rpa_" + "EX4MPLE" * 6),
    ("apify_api_", r"apify_api_[A-Za-z0-9]{30,}", "apify_api_" + "Ex4mple" * 5),
    ("llx-", r"llx-" + A_DIGIT + r"[A-Za-z0-9]{40,}", "llx-" + "Ex4mple" * 7),
    ("sk_car_", r"sk_car_" + A_DIGIT + r"[A-Za-z0-9]{20,}", "sk_car_" + "Ex4mple" * 3),
    ("crsr_ key_", r"(?:crsr|key)_[0-9a-f]{64}(?![\w-])", "crsr_" + HEX * 4),
    (
        "ctx7sk-", r"ctx7sk-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
        "ctx7sk-" + "01234567-89ab-4cde-8f01-23456789abcd",
    ),
    ("GR1348941", r"GR1348941[\w-]{20,}", "GR1348941" + "Ex4mple" * 3),
    ("API-", r"API-(?=[A-Z]{0,25}\d)[A-Z0-9]{26}(?![\w-])", "API-" + "EX4MPLE1" * 3 + "EX"),
    ("pk.eyJ sk.eyJ", r"[ps]k\.eyJ[\w-]{20,}\.[\w-]{16,}", "sk.eyJ" + "Ex4mple" * 8 + "." + "Ex4mple" * 3),
    ("wandb_v1_", r"wandb_v1_[\w-]{40,}", "wandb_v1_" + "Ex4mple" * 7),
    ("sl.", r"sl\.(?:u\.)?" + A_DIGIT + r"[\w=-]{100,}", "sl.u." + "Ex4mple" * 16),
    ("p8e-", r"p8e-" + A_DIGIT + r"[A-Za-z0-9]{32}(?![\w-])", "p8e-" + "Ex4mple1" * 4),
    (
        "0/1 1/1 2/1", r"[0-2]/1\d{14,15}(?:/1\d{14,15})?:[0-9a-f]{32}(?![\w-])",
        "2/" + "1200000000000001/" * 1 + "1200000000000002:" + HEX * 2,
    ),
    ("jina_", r"jina_" + A_DIGIT + r"[\w-]{40,}", "jina_" + HEX * 2 + "Ex4mple" * 4),
    ("key-", r"key-" + A_DIGIT + r"(?=[0-9]{0,31}[a-f])[0-9a-f]{32}(?![\w-])", "key-" + HEX * 2),
    (
        "pa-", r"pa-(?=[A-Za-z_-]{0,42}\d)(?=[a-z0-9_-]{0,42}[A-Z])(?=[A-Z0-9_-]{0,42}[a-z])[\w-]{43}(?![\w-])",
        "pa-" + "Ex4mple" * 6 + "1",
    ),
)  # fmt: skip

VENDORS: tuple[Class, ...] = (
    *(by_prefix("vendor-key", anchor, pattern, example, DOCS) for anchor, pattern, example in _ROWS),
    by_pattern(
        "vendor-key", ".atlasv1.", r"\.atlasv1\.(?P<value>[\w=-]{60,})",
        "Ex4mple" * 2 + ".atlasv1." + "Ex4mple" * 9, DOCS,
    ),
    by_pattern(
        "vendor-key", "-us", LEFT + r"[0-9a-f]{32}-us\d{1,2}(?![\w-])", HEX * 2 + "-us21", DOCS, before=HEX,
        after="0-9",
    ),
    by_pattern(
        "azure-key", "Q~", rf"(?:{LEFT}|(?<=\d))" r"Q~[\w.~-]{31,34}(?![\w.~-])", "Q~" + "Ex4mple" * 4 + "Ex4m",
        "secrets of applications in Entra ID",
    ),
    by_prefix(
        "vendor-key", "sha256~", r"sha256~" + A_DIGIT + r"[\w-]{43}(?![\w-])", "sha256~" + "Ex4mple" * 6 + "1", DOCS,
        dense=False,
    ),
)  # fmt: skip
