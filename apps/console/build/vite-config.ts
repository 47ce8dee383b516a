import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import type { InlineConfig, Plugin } from 'vite'

/** The folder of the workspace. */
export const CONSOLE_DIR: string = join(import.meta.dirname, '..')

/** Ours that the first page needs, and all others: without what is fetched when it is opened. */
const SHARED =
  /packages[\\/](units|kit|contract)[\\/]|apps[\\/]console[\\/]src[\\/](api|format|theme|shell|[\w-]+\.tsx?$|ui[\\/](Amounts|Badge|Button|Card|CopyButton|EmptyState|ErrorBox|Icon|IconButton|Link|Meter|Notice|Page|ProgressLine|Segmented|Select|Skeleton|Table|TableRows|[a-z-]+)\.)/

/** What the server puts in for each request. */
export const NONCE_PLACE = '{nonce}'

/** The Latin letters of the one font: asked for with the page, not after its style sheet. */
function preloadFont(): Plugin {
  return {
    name: 'ascribe-preload-font',
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle }) {
        const font = Object.keys(bundle ?? {}).find((name) => /inter-latin-wght-normal-[^/]*\.woff2$/.test(name))
        if (font === undefined) return []
        return [{ tag: 'link', attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: '', href: `./${font}` } }]
      },
    },
  }
}

/** One bundle for both modes: every address in it is relative to the file that names it, and the page's own are the server's to make. */
export function viteConfig(outDir: string): InlineConfig {
  return {
    configFile: false,
    root: CONSOLE_DIR,
    base: './',
    clearScreen: false,
    plugins: [react(), preloadFont()],
    html: { cspNonce: NONCE_PLACE },
    build: {
      outDir,
      emptyOutDir: true,
      target: ['chrome125', 'firefox126', 'safari17.5'],
      manifest: true,
      // A style or image in the page's address would need an exception in the policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: {
        output: {
          codeSplitting: {
            // What every page needs in one piece: dozens of small ones compress worse, and each is a request.
            groups: [
              {
                name: 'vendor',
                test: /node_modules.*[\\/](react|react-dom|scheduler|use-sync-external-store|@tanstack[\\/](?!react-virtual|virtual-core)[\w-]+)[\\/]/,
              },
              { name: 'shared', test: SHARED },
            ],
          },
        },
      },
    },
  }
}
