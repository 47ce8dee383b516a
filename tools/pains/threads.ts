/** What somebody complained of elsewhere, and what has to hold here. */
export type Pain = {
  /** What the names of its tests begin with, between commas and before the colon. */
  readonly name: string
  /** Where it was written down: a repository and a number, or a page. */
  readonly thread: string
  readonly wants: string
  /** Why no test proves it. Absent: at least one does, or `npm run generate` fails. */
  readonly open?: string
}

export type PainGroup = { readonly about: string; readonly pains: readonly Pain[] }

/** Threads of users of gateways and billing engines, by subject. As of November 2026. */
export const PAINS: readonly PainGroup[] = [
  {
    about: 'Client disconnects',
    pains: [
      {
        name: 'litellm-33736',
        thread: 'BerriAI/litellm#33736',
        wants: 'A stream left midway is metered and priced; it used to leave no row.',
      },
      {
        name: 'litellm-37558',
        thread: 'BerriAI/litellm#37558',
        wants: 'The same holds on the Anthropic messages route.',
      },
      {
        name: 'litellm-36008',
        thread: 'BerriAI/litellm#36008',
        wants: 'Upstream is drained to its usage event in a detached, capped task.',
      },
      {
        name: 'litellm-35958',
        thread: 'BerriAI/litellm#35958',
        wants: 'An interrupted messages stream leaves a row in every release.',
      },
      {
        name: 'litellm-13245',
        thread: 'BerriAI/litellm#13245',
        wants: 'A non-streamed call whose client left is recorded in full, input and output.',
      },
      { name: 'litellm-37992', thread: 'BerriAI/litellm#37992', wants: 'Usage explicitly reported as zero stays zero.' },
      {
        name: 'litellm-37734',
        thread: 'BerriAI/litellm#37734',
        wants: 'A cut-short stream is priced under the served model, not at $0 through a wrong name.',
      },
      {
        name: 'bifrost-3709',
        thread: 'maximhq/bifrost#3709',
        wants: 'A cancelled stream of 806 deltas is not one token (about $0.09 became $0.000015).',
      },
      {
        name: 'bifrost-4575',
        thread: 'maximhq/bifrost#4575',
        wants: 'Failed and timed-out requests carry the usage the provider charges.',
      },
      {
        name: 'bifrost-4842',
        thread: 'maximhq/bifrost#4842',
        wants: 'Usage from intermediate Responses events survives a cancel, cache classes included.',
      },
      {
        name: 'tensorzero-3751',
        thread: 'tensorzero/tensorzero#3751',
        wants: 'After a disconnect the stream is drained and its hold settled.',
      },
      { name: 'new-api-5235', thread: 'QuantumNous/new-api#5235', wants: 'Missing final usage never refunds the whole hold.' },
      {
        name: 'new-api-5288',
        thread: 'QuantumNous/new-api#5288',
        wants: 'Partial text is never billed by a local tokenizer as if it were reported.',
      },
      { name: 'open-ace-3422', thread: 'open-ace/open-ace#3422', wants: 'Dropping the socket just before the usage chunk is not free.' },
      {
        name: 'litellm-17364',
        thread: 'BerriAI/litellm#17364',
        wants: 'A key may choose to cancel upstream at once: abort policy is per key.',
      },
      {
        name: 'apisix-13254',
        thread: 'apache/apisix#13254',
        wants: 'A key may choose to cancel upstream at once: abort policy is per key.',
      },
      {
        name: 'sub2api-6482',
        thread: 'Wei-Shaw/sub2api#6482',
        wants: 'A key may choose to cancel upstream at once: abort policy is per key.',
      },
    ],
  },
  {
    about: 'Streams without usage',
    pains: [
      {
        name: 'LLMKube-1852',
        thread: 'defilantech/LLMKube#1852',
        wants: 'llama.cpp and vLLM streams without usage are never metered as zero.',
      },
      { name: 'ai-gateway-281', thread: 'ferro-labs/ai-gateway#281', wants: 'Streamed usage is captured for every provider format.' },
      { name: 'gpustack-4874', thread: 'gpustack/gpustack#4874', wants: 'Usage is forced when the client omits the option.' },
      { name: 'bifrost-520', thread: 'maximhq/bifrost#520', wants: 'Streamed usage reaches the usage record.' },
      {
        name: 'helm-api-6',
        thread: 'EasyMetaAu/helm-api#6',
        wants: 'Unknown cost shows as unknown, never $0.0000; it is filled at stream end.',
      },
      { name: 'helix-3005', thread: 'helixml/helix#3005', wants: 'Cumulative usage snapshots: keep the last, never sum.' },
    ],
  },
  {
    about: 'Token classes',
    pains: [
      { name: 'litellm-14849', thread: 'BerriAI/litellm#14849', wants: 'Gemini cache hits leave the uncached class (0.18, not 0.76).' },
      { name: 'litellm-9812', thread: 'BerriAI/litellm#9812', wants: 'Cache-creation tokens are charged once (was nearly double).' },
      { name: 'litellm-31714', thread: 'BerriAI/litellm#31714', wants: 'Cached tokens use the cache-read price for every provider.' },
      {
        name: 'litellm-28009',
        thread: 'BerriAI/litellm#28009',
        wants: 'Custom prices carry cache rates; both naming styles reach the totals.',
      },
      { name: 'bifrost-3451', thread: 'maximhq/bifrost#3451', wants: 'Cached input is charged once (1.06, not 1.86).' },
      { name: 'langwatch-7018', thread: 'langwatch/langwatch#7018', wants: 'The cached share is not priced at 11 times its rate.' },
      { name: 'aider-5516', thread: 'Aider-AI/aider#5516', wants: 'Each format declares whether input totals include cache classes.' },
      {
        name: 'apisix-13662',
        thread: 'apache/apisix#13662',
        wants: 'Native Anthropic streaming counts input as well as output.',
      },
      {
        name: 'agentgateway-3228',
        thread: 'agentgateway/agentgateway#3228',
        wants: 'Output counts when reasoning tokens are present (was about 95 % low).',
      },
      {
        name: 'litellm-38457',
        thread: 'BerriAI/litellm#38457',
        wants: 'Native audio output uses the audio rate, never the text rate or zero.',
      },
      { name: 'litellm-39850', thread: 'BerriAI/litellm#39850', wants: 'Realtime reasoning nested in text tokens is billed once.' },
      { name: 'langwatch-7021', thread: 'langwatch/langwatch#7021', wants: 'Characters, seconds and audio tokens reach the bill.' },
      { name: 'llm-gateway-12', thread: 'croit/llm-gateway#12', wants: 'Images, speech and transcription are never zero.' },
    ],
  },
  {
    about: 'Budget races',
    pains: [
      {
        name: 'litellm-26672',
        thread: 'BerriAI/litellm#26672',
        wants: 'Over-budget keys and users are refused before dispatch, also in a burst.',
      },
      { name: 'litellm-34732', thread: 'BerriAI/litellm#34732', wants: 'Check and hold are one atomic step.' },
      {
        name: 'litellm-40095',
        thread: 'BerriAI/litellm#40095',
        wants: 'Parallel first requests of an unknown end user meet the default budget.',
      },
      { name: 'litellm-34238', thread: 'BerriAI/litellm#34238', wants: 'Parallel requests cannot pass one budget together.' },
      { name: 'litellm-23714', thread: 'BerriAI/litellm#23714', wants: 'A key over its cap stays refused, also across gateway processes.' },
      {
        name: 'discussion-50438',
        thread: 'BerriAI/litellm discussion#50438',
        wants: 'The published stress test overshoots by zero out of the box (2.5 % tuned there; the default leaks).',
      },
      { name: 'new-api-6609', thread: 'QuantumNous/new-api#6609', wants: 'Balance check and deduction cannot interleave.' },
      { name: 'one-api-2440', thread: 'songquanpeng/one-api#2440', wants: 'A deduction is conditional on the balance.' },
      { name: 'llmgateway-3705', thread: 'theopenco/llmgateway#3705', wants: 'Overshoot never drives real credits negative.' },
      {
        name: 'routstr-core-682',
        thread: 'Routstr/routstr-core#682',
        wants: "No sweeper releases a live stream's hold; an overrun never spends another's.",
      },
      { name: 'ai-gateway-2394', thread: 'envoyproxy/ai-gateway#2394', wants: 'The limit applies to this request, not the next.' },
      { name: 'wso2-2932', thread: 'wso2/api-platform#2932', wants: 'A token limit counts tokens, not requests (150× overshoot).' },
      { name: 'bifrost-2873', thread: 'maximhq/bifrost#2873', wants: 'Passthrough routes obey budgets.' },
    ],
  },
  {
    about: 'Counters that drift',
    pains: [
      { name: 'litellm-28247', thread: 'BerriAI/litellm#28247', wants: 'Reseeding a cold counter is idempotent across processes.' },
      { name: 'litellm-28283', thread: 'BerriAI/litellm#28283', wants: 'Enforced spend equals ledger spend (was 3–6×).' },
      { name: 'litellm-30460', thread: 'BerriAI/litellm#30460', wants: 'Cache timeouts never inflate a counter (50 against 14).' },
      { name: 'litellm-30039', thread: 'BerriAI/litellm#30039', wants: 'A repaired counter equals the ledger.' },
      { name: 'litellm-27639', thread: 'BerriAI/litellm#27639', wants: 'Every hold is settled or released; no phantom refusals.' },
      {
        name: 'litellm-38111',
        thread: 'BerriAI/litellm#38111',
        wants: 'Passthrough holds are released (four calls at $0, then a false 429).',
      },
    ],
  },
  {
    about: 'Events lost or counted twice',
    pains: [
      { name: 'litellm-33872', thread: 'BerriAI/litellm#33872', wants: 'Nothing leaves a queue before its commit.' },
      {
        name: 'openmeter-5118',
        thread: 'openmeterio/openmeter#5118',
        wants: 'The id is claimed in the same transaction as the write, so a retry is never swallowed.',
      },
      { name: 'lago-637', thread: 'getlago/lago#637', wants: 'An accepted event is aggregated or visibly quarantined.' },
      { name: 'lago-538', thread: 'getlago/lago#538', wants: 'An event visible in the console counts in the totals.' },
      { name: 'flexprice-584', thread: 'flexprice/flexprice#584', wants: 'A missing topic never leaves events stuck.' },
      { name: 'flexprice-2184', thread: 'flexprice/flexprice#2184', wants: 'Deduplication is on by default.' },
      {
        name: 'autumn-cache-eviction',
        thread: 'useautumn/autumn (planning document)',
        wants: 'Evicting a cached balance loses no deduction.',
      },
      { name: 'apisix-13876', thread: 'apache/apisix#13876', wants: 'No retry after partial output: it is a second billable call.' },
      { name: 'higress-1080', thread: 'higress-group/higress#1080', wants: "A stream's end deducts once." },
    ],
  },
  {
    about: 'Log bloat',
    pains: [
      {
        name: 'litellm-41499',
        thread: 'BerriAI/litellm#41499',
        wants: 'Rows hold a price version id, not a price map (6.3 kB each, 65 % copy; 5.9 M rows, 26.3 GB).',
      },
      { name: 'litellm-35766', thread: 'BerriAI/litellm#35766', wants: 'No table scan on the request path (94 % database CPU).' },
      { name: 'litellm-16582', thread: 'BerriAI/litellm#16582', wants: 'Retention drops partitions, so indexes do not bloat.' },
      { name: 'litellm-11683', thread: 'BerriAI/litellm#11683', wants: 'New indexes build without overloading a large table.' },
      { name: 'litellm-2235', thread: 'BerriAI/litellm#2235', wants: 'Usage-log growth never slows the proxy.' },
      {
        name: 'litellm-38193',
        thread: 'BerriAI/litellm#38193',
        wants: 'Memory stays flat whatever the table size (about 40 GiB there, then a crash).',
      },
      {
        name: 'commonly-468',
        thread: 'Team-Commonly/commonly#468',
        wants: 'Every table has retention and an off switch (6.4 M rows, 4 GB, unasked).',
      },
      { name: 'killbill-1952', thread: 'killbill/killbill#1952', wants: 'Loading an invoice does not load all its event ids.' },
    ],
  },
  {
    about: 'Gateway latency and memory',
    pains: [
      {
        name: 'litellm-21046',
        thread: 'BerriAI/litellm#21046',
        wants: 'The proxy does not cut throughput (16 to 9 rps).',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      {
        name: 'litellm-13546',
        thread: 'BerriAI/litellm#13546',
        wants: 'Image-heavy bodies hit no wall at 15 rps.',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      {
        name: 'litellm-12685',
        thread: 'BerriAI/litellm#12685',
        wants: 'Memory stays flat over days.',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      {
        name: 'litellm-6345',
        thread: 'BerriAI/litellm#6345',
        wants: 'Added latency stays inside the published bound.',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      {
        name: 'litellm-14681',
        thread: 'BerriAI/litellm#14681',
        wants: 'Published benchmarks reproduce from a script in the repository.',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      {
        name: 'litellm-6592',
        thread: 'BerriAI/litellm#6592',
        wants: 'Connection handling does not cap a client near 50 rps.',
        open: 'A figure, not a test: `npm run bench` measures it beside a peer (docs/capacity.md, bench/README.md).',
      },
      { name: 'otari-1117', thread: 'mozilla-ai/otari#1117', wants: 'Negative or invalid durations are rejected.' },
      {
        name: 'agentgateway-2128',
        thread: 'agentgateway/agentgateway#2128',
        wants: 'Durations use a monotonic clock and cannot panic.',
        open: 'In part: waits and time-outs use the monotonic clock. The time to the first byte is the difference of two readings of the wall clock, never below zero; no money depends on it.',
      },
    ],
  },
  {
    about: 'Price history',
    pains: [
      { name: 'any-llm-994', thread: 'mozilla-ai/any-llm#994', wants: 'Prices have effective dates; an update never changes past cost.' },
      { name: 'otari-407', thread: 'mozilla-ai/otari#407', wants: 'An event without a price can be priced later by a correction.' },
      {
        name: 'ccusage-1636',
        thread: 'ccusage/ccusage#1636',
        wants: 'A closed period totals the same whichever price source loaded ($2,473 against $1,924).',
      },
      {
        name: 'agentsview-1540',
        thread: 'kenn-io/agentsview#1540',
        wants: 'Cost uses the price at event time and shows where it came from.',
      },
      {
        name: 'langfuse-docs-2018',
        thread: 'langfuse/langfuse-docs#2018',
        wants: 'There is a documented way to re-rate after a definition changes.',
      },
      {
        name: 'litellm-38730',
        thread: 'BerriAI/litellm#38730',
        wants: 'Redirected model names price as the model billed (5.4× under, 4.8× over).',
      },
      { name: 'maxx-575', thread: 'awsl-project/maxx#575', wants: 'Recalculation uses the price of then.' },
    ],
  },
  {
    about: 'Attribution',
    pains: [
      { name: 'litellm-36646', thread: 'BerriAI/litellm#36646', wants: 'Passthrough embeddings leave a row.' },
      { name: 'freehire-1386', thread: 'strelov1/freehire#1386', wants: 'No application needs a master credential; every user has a key.' },
      {
        name: 'aihub-core-1772',
        thread: 'bbvch-ai/aihub-core#1772',
        wants: 'Calls a runtime makes for a user carry that user and tenant.',
      },
      {
        name: 'osprey-838',
        thread: 'als-apg/osprey#838',
        wants: 'Every request carries the acting identity and surface.',
      },
      {
        name: 'obot-7515',
        thread: 'obot-platform/obot#7515',
        wants: 'Audit entries show spend beside tokens.',
        open: 'Not built: the console, and the audit log that it shows. `ascribe events list` and `GET /api/v1/events` show the tokens of each request, statements and charges the money.',
      },
      {
        name: 'codex-46608',
        thread: 'openai/codex#46608',
        wants: 'Every deduction names its execution (a −1,883 credit balance could not be explained).',
      },
      {
        name: 'envoy-quota-name-mismatch',
        thread: 'Envoy documentation',
        wants: 'A quota rule that matches no model is an error, not a silent skip.',
      },
      { name: 'agentgateway-policy-overlap', thread: 'agentgateway documentation', wants: 'Overlapping policies conflict loudly.' },
    ],
  },
  {
    about: 'Also asked for',
    pains: [
      { name: 'bifrost-2683', thread: 'maximhq/bifrost#2683', wants: 'Prepaid balance without periodic reset.' },
      { name: 'apisix-13755', thread: 'apache/apisix#13755', wants: 'Per-user quota that blocks before forwarding.' },
      { name: 'portkey-115', thread: 'Portkey-AI/gateway#115', wants: 'Virtual keys in the open edition.' },
      { name: 'codegraff-269', thread: 'justrach/codegraff#269', wants: 'Errors distinguish "out of money" from "temporarily reserved".' },
      { name: 'killbill-1022', thread: 'killbill/killbill#1022', wants: 'Invoice lines export the usage events behind them.' },
    ],
  },
  {
    about: 'Viewing as a customer',
    pains: [
      {
        name: 'nextcloud-impersonate-131',
        thread: 'nextcloud/impersonate#131',
        wants: 'The log names who acted; it used to show the victim, whom auditors then blamed.',
      },
      { name: 'nextcloud-impersonate-120', thread: 'nextcloud/impersonate#120', wants: 'There is a reason, and nobody acts without one.' },
      { name: 'owncloud-impersonate-13', thread: 'owncloud/impersonate#13', wants: 'It ends by itself.' },
      {
        name: 'nopcommerce-1224',
        thread: 'nopSolutions/nopCommerce#1224',
        wants: 'What was done in a customer’s name can be told from what the customer did.',
      },
    ],
  },
]
