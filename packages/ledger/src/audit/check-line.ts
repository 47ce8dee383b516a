import { commitmentOf, lineHash } from './entry.ts'
import type { ParsedLine } from './parse-export.ts'
import type { AuditProblemKind } from './verify.ts'

/** Whether a line says what its hash says, and its personal fields what it commits to. */
export function checkLine(line: ParsedLine, problem: (kind: AuditProblemKind, message: string) => void): void {
  if (lineHash(line) !== line.hash)
    problem('edited', 'is not what its hash was computed of, or the line before it is not the one it followed')
  if (line.line === undefined) return problem('edited', 'is no line that this program has written')
  if (line.line.v !== 1) problem('unreadable', `is of version ${String(line.line.v)}, which this program does not know`)
  const sealed = line.line.sealed ?? {}
  for (const [field, { salt, value }] of Object.entries(line.personal)) {
    if (!Object.hasOwn(sealed, field)) problem('personal_edited', `has a field ${field} that the line does not commit to`)
    else if (commitmentOf(field, salt, value) !== sealed[field]) {
      problem('personal_edited', `the field ${field} is not what the line commits to`)
    }
  }
}
