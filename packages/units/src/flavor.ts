declare const unit: unique symbol

/**
 * A primitive that remembers its unit. A plain value may be given where a flavored one is wanted (arithmetic gives plain
 * values), but a value of one unit never where another is wanted: an amount is no rate.
 */
export type Flavor<Primitive, Unit extends string> = Primitive & { readonly [unit]?: Unit }
