-- Legal forms of companies (companies/legal_forms.yaml and the library cleanco). Written by
-- python -m tools.legal_forms, never by hand. As literals: Postgres looks them up in a hash table.

CREATE OR REPLACE FUNCTION intake.legal_form(form text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN form = ANY (
            '{ab, ab publ, abpubl, adsitz, ag i l, ag il, agil, akc spol, akcspol, aktiebolag, aktiengesellschaft,
            aktieselskab, amba, and co, andco, anonim sirketi, anonimsirketi, aps, as, asa, asoy,
            besloten vennootschap, beslotenvennootschap, bhd, bv, bvba, c por a, cia, cic, cie, cjsc, co, commv,
            compania, company, corp, corporation, cpora, cvba, cvoa, dno, doo, dooel, e kfm, e kfr, ead, ehf,
            eireli, eirl, ek, ekfm, ekfr, eood, eurl, fmba, fzco, fze, gbr, gesbr,
            gesellschaft mit beschrankter haftung, gesellschaftmitbeschrankterhaftung, gesmbh, ggmbh, gmbh,
            gmbh and co kg, gmbh i g, gmbh i l, gmbh ig, gmbh il, gmbhandcokg, gmbhig, gmbhil,
            haftungsbeschrankt, inc, incorporated, jdoo, jsc, kabushiki kaisha, kabushikikaisha, kft, kg, kgaa,
            lda, limited, limited liability company, limited sirketi, limitedliabilitycompany, limitedsirketi,
            llc, lllp, llp, lp, ltd, ltd sti, ltda, ltdsti, mbh, mbh and co kg, mbhandcokg, mchj, mepe, nv,
            nyrt, ohg, ojsc, ood, osakeyhtio, ovee, oy, oy ab, oyab, oyj, p ltd, partg, partgmbb, pjsc, plc,
            pllc, pltd, private limited, privatelimited, proprietary limited, proprietarylimited, pte, pte ltd,
            pteltd, pty, pty ltd, ptyltd, pvt, pvt ltd, pvtltd, s de rl, s de rl de cv, s en c, sa, sa de cv,
            sa rl, sadecv, sae, sagl, sal, saoc, saog, sapi, sapi de cv, sapidecv, sarl, sas, sasu, sau, sccl,
            sce i, scei, scpa, scra, scrl, sderl, sderldecv, sdn bhd, sdnbhd, senc, sgps, shpk, sia, sicav,
            slne, slu, smba, soccol, sociedad anonima, sociedad limitada, sociedadanonima, sociedadlimitada,
            societa per azioni, societaperazioni, societe anonyme, societe par actions simplifiee,
            societeanonyme, societeparactionssimplifiee, sp j, sp k, sp z oo, sp zoo, spj, spk, spol s ro,
            spol sro, spolka z oo, spolkazoo, spolsro, sprl, spzoo, srl, srls, sro, sti, tbk, uab, ug,
            ug haftungsbeschrankt, ughaftungsbeschrankt, ulc, ultd, unipessoal, unltd, vea obch spol,
            veaobchspol, vof, wll, yoaj, zrt, επε, ικε, ао, еад, еоод, зао, нао, оао, оод, ооо, пао, тов, тоо,
            בע מ, בעמ, 유, 주, 有, 株}'
        ) THEN 'certain'
        WHEN form = ANY (
            '{ad, ae, ag, ans, bt, cv, da, dd, eg, epe, ev, hb, hf, is, kb, kk, ks, oe, ou, rt, sac, sapa, sca,
            scs, se, sl, snc, αε, οε, ад}'
        ) THEN 'ambiguous'
        WHEN form = ANY (
            '{na, pa, pc, ps, sc, spa}'
        ) THEN 'word'
        WHEN form = ANY (
            '{a, anonima, anonyme, azioni, b, c, d, e, f, g, h, haftung, i, ig, il, j, k, kaisha, kfm, kfr, l,
            limitada, m, n, o, oo, p, publ, r, rl, ro, s, simplifiee, sirketi, spol, t, u, v, vennootschap, y,
            z, zoo, ε, в, д, о, מ, ᅮ, ᅲ}'
        ) THEN 'last word'
    END
$$;
COMMENT ON FUNCTION intake.legal_form(text) IS
'Whether words are a legal form: certain, ambiguous, word (rather a word), or the last word of one; NULL when not';

CREATE OR REPLACE FUNCTION intake.leading_legal_form(form text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN form = ANY (
            '{eurl, gmbh, oao, ooo, sarl, sasu, zao, ао, зао, ип, оао, ооо, пао, тов, тоо, чп, 유, 주, 有, 株}'
        ) THEN 'certain'
        WHEN form = ANY (
            '{ab, as, bv, cv, etablissements, ets, fa, firma, nv, ou, oy, pt, sa, sas, sc, sia, srl, too, uab}'
        ) THEN 'ambiguous'
    END
$$;
COMMENT ON FUNCTION intake.leading_legal_form(text) IS
'Whether words are a legal form that stands before a name: certain or ambiguous; NULL when not';

CREATE OR REPLACE FUNCTION intake.without_joined_legal_form(key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        nullif(regexp_replace(key, '^(' || forms || ') ?| ?(' || forms || ')$', ''), ''),
        key
    )
    FROM (VALUES (normalize('股份有限公司|有限责任公司|株式会社|有限会社|合同会社|有限公司|주식회사|유한회사', NFKD))) AS f (forms)
$$;
COMMENT ON FUNCTION intake.without_joined_legal_form(text) IS
'A name key without a legal form of a script that puts no space between name and form';
