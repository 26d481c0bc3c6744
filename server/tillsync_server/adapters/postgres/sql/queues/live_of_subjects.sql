-- The live entries of subjects. $1 account, $2 kinds, $3 subjects, by position. Index: entry_live. Takes no lock.
SELECT e.kind, e.subject_id, e.entry_id
FROM unnest($2::smallint[], $3::bigint[]) AS t(kind, subject_id)
JOIN entry e ON e.account_id = $1 AND e.kind = t.kind AND e.subject_id = t.subject_id
