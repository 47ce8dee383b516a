import { consoleRules } from './console.ts'
import { proveRules } from './planted.ts'

const PAGE = 'apps/console/src/pages/Page.tsx'

proveRules(consoleRules, {
  'colours of the console are tokens': {
    faults: [
      {
        files: { 'apps/console/src/ui/a.css': '\na {\n  color: #0A5BC4;\n}\n' },
        found: 'apps/console/src/ui/a.css:3 writes the colour #0A5BC4',
      },
      { files: { [PAGE]: 'const look = { color: "#fff" }\n' }, found: `${PAGE}:1 writes the colour #fff` },
    ],
    sound: [
      { 'apps/console/src/theme/tokens.css': ':root { --text: #171b21; }\n', 'apps/console/src/ui/a.css': 'a { color: var(--text); }\n' },
      { [PAGE]: '// see #6\nconst href = "#content"\n', 'apps/api/src/site/a.css': 'a { color: #000; }\n' },
    ],
  },
  'no schema is loaded into the browser': {
    faults: [
      { files: { [PAGE]: "import { getCosts } from '@ascribe/contract/reads'\n" }, found: `${PAGE}:1 loads @ascribe/contract/reads` },
      { files: { [PAGE]: "\nexport * from 'zod'\n" }, found: `${PAGE}:2 loads zod` },
    ],
    sound: [
      { [PAGE]: "import { getCosts } from '@ascribe/contract/operations'\nimport type { CostReport } from '@ascribe/contract/reads'\n" },
      { 'apps/console/src/dev/mocks.test.ts': "import { API_ROUTES } from '@ascribe/contract'\n" },
    ],
  },
})
