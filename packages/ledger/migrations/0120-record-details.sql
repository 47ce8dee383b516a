-- What few records have: tries at several upstreams, numbers of an engine's usage that no class of ours stands for, the client's idempotency key.
-- One column for all of them, so that the next one needs no column. Programs of the version before go on with the type before.

alter table usage_record add column details jsonb;

create type usage_record_input_3 as (
  event_id uuid,
  instant_ms bigint,
  ended_ms bigint,
  request_id text,
  auth_id text,
  resource_id text,
  resource_type text,
  user_id text,
  group_id text,
  base_model text,
  claimed_organization_id text,
  headers jsonb,
  identified_by text,
  route text,
  api text,
  model_asked text,
  streamed boolean,
  outcome text,
  provenance text,
  status integer,
  model text,
  finish_reason text,
  prompt_tokens bigint,
  cached_tokens bigint,
  completion_tokens bigint,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  other_meters jsonb,
  first_byte_ms double precision,
  invalid_usage boolean,
  details jsonb
);
