-- Of how many requests bodies are kept, in parts of a million. Null: as wider terms have it; with none at all, of none (ADR 0109).
alter table credential_terms add column body_sample bigint check (body_sample between 0 and 1000000);
