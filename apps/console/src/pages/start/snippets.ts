/** What a snippet is made of: where requests go, a model that there is, and what a key is called. */
export type SnippetParts = { readonly gatewayUrl: string; readonly model: string; readonly keyName: string }

export const LANGUAGES = ['curl', 'python', 'javascript'] as const
export type Language = (typeof LANGUAGES)[number]
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { curl: 'curl', python: 'Python', javascript: 'JavaScript' }

/**
 * A request that works for this organization once the key stands in the environment. The secret is never in it: the name of a key is its placeholder.
 */
export function snippetOf(language: Language, { gatewayUrl, model, keyName }: SnippetParts): string {
  const base = `${gatewayUrl.replace(/\/+$/, '')}/v1`
  switch (language) {
    case 'curl':
      return [
        `export API_KEY=${shellText(`<secret of ${keyName}>`)}`,
        `curl ${shellText(`${base}/chat/completions`)} \\`,
        `  -H "Authorization: Bearer $API_KEY" \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d ${shellText(JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] }))}`,
      ].join('\n')
    case 'python':
      return [
        '# pip install openai',
        'import os',
        'from openai import OpenAI',
        '',
        `# API_KEY holds the secret of ${oneLine(keyName)}`,
        `client = OpenAI(base_url=${JSON.stringify(base)}, api_key=os.environ["API_KEY"])`,
        'reply = client.chat.completions.create(',
        `    model=${JSON.stringify(model)},`,
        '    messages=[{"role": "user", "content": "Hello"}],',
        ')',
        'print(reply.choices[0].message.content)',
      ].join('\n')
    default:
      return [
        '// npm install openai',
        "import OpenAI from 'openai'",
        '',
        `// API_KEY holds the secret of ${oneLine(keyName)}`,
        `const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: process.env.API_KEY })`,
        'const reply = await client.chat.completions.create({',
        `  model: ${JSON.stringify(model)},`,
        "  messages: [{ role: 'user', content: 'Hello' }],",
        '})',
        'console.log(reply.choices[0].message.content)',
      ].join('\n')
  }
}

/** Quoted so that a shell takes it as it is. */
function shellText(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A name with a line break in it would end the comment that it stands in. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}

/**
 * The models that a first request may name: those used here first, then the others that have a price. `priced`: `undefined` where it is not known. What
 * was used and has no price any more is not offered, but for fine-tunes, which are in no list of prices; nor are machines.
 */
export function modelsToTry(used: readonly string[], priced: readonly string[] | undefined): readonly string[] {
  const named = used.filter((model) => model !== '')
  if (priced === undefined) return named
  return [...new Set([...named.filter((model) => priced.includes(model) || model.startsWith('ft:')), ...priced])]
}
