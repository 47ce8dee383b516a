import { Command, CommanderError, Option } from 'commander'
import { AscribeError, InputError, errorChain, nearest } from '@ascribe/kit'
import { COMMANDS } from './command-list.ts'
import { EXIT } from './exit-codes.ts'
import type { Finish } from './finish.ts'
import type { Surroundings } from './surroundings.ts'
import { styleFor } from './output.ts'
import { VERSION } from './version.ts'

const EPILOGUE = `
Try it:  ascribe up                       everything on this machine, with a demo key
         ascribe COMMAND --help           what a command does, with examples

Settings come from DIR/ascribe.yaml (or --config FILE), then ASCRIBE_* variables, then the command line.
Exit codes: 0 done, 1 it failed or the answer is no, 2 the call or a file is wrong, 3 faults found (conformance), 70 a bug.`

/** Runs one command line and gives its exit code. Nothing here ends the process. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let exitCode: number = EXIT.ok
  const finish = (code: number): void => {
    exitCode = code
  }
  try {
    const program = await createProgram(args, surroundings, finish)
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, surroundings)
  }
}

async function createProgram(args: readonly string[], surroundings: Surroundings, finish: Finish): Promise<Command> {
  const program = new Command('ascribe')
    .description('Ties every token and every bill to exactly one identity.')
    .version(VERSION, '--version', 'print the version')
    .helpCommand('help [command]', 'say what a command does')
    .helpOption('-h, --help', 'say what this does')
    .addHelpText('after', EPILOGUE)
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
      getOutHelpWidth: () => surroundings.stdout.columns ?? 100,
      getErrHelpWidth: () => surroundings.stderr.columns ?? 100,
    })
    .hook('preAction', (_root, command) => refuseExcess(command))
    .exitOverride()
  for (const { name, description, load } of COMMANDS) {
    const command = program.command(name).description(description)
    // A name that stands anywhere on the line may be the command; loading one too many does no harm.
    if (args.includes(name)) (await load())(command, surroundings, finish)
  }
  addSharedOptions(program)
  return program
}

/** Every command, and the program itself, takes these: people put them before the command or after it. */
function addSharedOptions(command: Command): void {
  command.addOption(new Option('--data <dir>', 'the data directory (default: $ASCRIBE_DATA, else .ascribe)'))
  command.addOption(new Option('--config <file>', 'the configuration file (default: ascribe.yaml in the data directory)'))
  command.addOption(new Option('--json', 'results as JSON, for programs'))
  command.addOption(new Option('--log-level <level>', 'debug, info, warn or error'))
  command.exitOverride()
  // Not refused by the library, which would not say what was meant: see refuseExcess().
  command.allowExcessArguments(true)
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    addSharedOptions(child)
  }
}

/** A word too many after a command that has others below it is most likely one of those, mistyped. */
function refuseExcess(command: Command): void {
  const { args, registeredArguments, commands } = command
  const excess = args[registeredArguments.length]
  if (excess === undefined || registeredArguments.at(-1)?.variadic === true) return
  const names = commands.map((child) => child.name())
  if (names.length === 0) return command.error(`error: '${command.name()}' does not take '${excess}'`)
  const meant = nearest(excess, names)
  command.error(`error: unknown command '${excess}' of '${command.name()}'${meant === undefined ? '' : `\n(Did you mean ${meant}?)`}`)
}

/** Says what went wrong, once, for people, and gives the exit code. */
function report(error: unknown, { stderr }: Surroundings): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  const style = styleFor(stderr)
  const write = (text: string): void => void stderr.write(`${text}\n`)
  if (error instanceof AscribeError) {
    write(`${style.bad('error')}: ${errorChain(error)}`)
    if (error instanceof InputError && error.hint !== undefined) write(`${style.dim('hint')}:  ${error.hint}`)
    return error instanceof InputError ? EXIT.usage : EXIT.failed
  }
  write(`${style.bad('bug')}: ${errorChain(error)}`)
  if (error instanceof Error && error.stack !== undefined) write(style.dim(error.stack))
  write('This should not have happened. Nothing was changed after it. Please report it with the lines above.')
  return EXIT.bug
}
