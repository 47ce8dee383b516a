/**
 * SQL of a parameter whose value the planner does not see. Otherwise it finds a plan for these very values cheaper than one for all values, and so
 * plans a prepared question again each time: 1 to 4 ms for a report that runs for 1 or 2. For statements whose plan must not depend on values.
 */
export function unseen(parameter: number, type: string): string {
  // The cast, because `any((select …))` would be a question about rows.
  return `(select $${parameter}::${type})::${type}`
}
