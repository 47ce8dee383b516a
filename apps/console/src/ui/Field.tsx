import { useId } from 'react'
import type { ReactNode } from 'react'
import { FieldError, Input, Label, Text, TextArea, TextField as AriaTextField } from 'react-aria-components/TextField'
import { Checkbox } from 'react-aria-components/Checkbox'
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup'
import { Icon } from './Icon.tsx'

type Common = {
  label: ReactNode
  /** Of the field, as in the errors of the form. */
  name: string
  hint?: ReactNode
  /** Shown under the field; the form says it once more at its top. */
  error?: string | undefined
}

/** A line or some lines of text: label above, hint below, error under it. */
export function TextField({
  label,
  name,
  hint,
  error,
  value,
  onChange,
  isRequired = false,
  type = 'text',
  inputMode,
  maxLength,
  isMultiline = false,
  placeholder,
  suffix,
}: Common & {
  value: string
  onChange: (value: string) => void
  isRequired?: boolean
  type?: 'text' | 'email' | 'url' | 'search' | 'date' | 'datetime-local'
  inputMode?: 'decimal' | 'numeric'
  maxLength?: number
  isMultiline?: boolean
  placeholder?: string
  /** A unit after the text. */
  suffix?: ReactNode
}): ReactNode {
  return (
    <AriaTextField
      className="ui-field"
      name={name}
      value={value}
      onChange={onChange}
      isRequired={isRequired}
      isInvalid={error !== undefined}
      type={type as 'text'}
      validationBehavior="aria"
      autoComplete="off"
      {...(inputMode !== undefined && { inputMode })}
      {...(maxLength !== undefined && { maxLength })}
    >
      <Label>
        {label}
        {isRequired && <span className="ui-required"> (required)</span>}
      </Label>
      {isMultiline ? (
        <TextArea className="ui-input" rows={3} {...(placeholder !== undefined && { placeholder })} />
      ) : (
        <span className="ui-input-row">
          <Input className="ui-input" data-field={name} {...(placeholder !== undefined && { placeholder })} />
          {suffix !== undefined && <span className="ui-suffix">{suffix}</span>}
        </span>
      )}
      {hint !== undefined && (
        <Text slot="description" className="ui-hint">
          {hint}
        </Text>
      )}
      <FieldError className="ui-field-error">{error}</FieldError>
    </AriaTextField>
  )
}

/** One of some, as the system shows them: best on a phone, and nothing to fetch. */
export function SelectField({
  label,
  name,
  hint,
  error,
  options,
  value,
  onChange,
}: Common & {
  options: readonly { readonly id: string; readonly label: string }[]
  value: string
  onChange: (value: string) => void
}): ReactNode {
  const id = useId()
  return (
    <div className="ui-field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        name={name}
        className="ui-input"
        value={value}
        aria-describedby={`${id}-hint`}
        aria-invalid={error !== undefined}
        onChange={(event) => onChange(event.target.value)}
      >
        {options.map((option) => (
          <option key={option.id} value={option.id}>
            {option.label}
          </option>
        ))}
      </select>
      <span id={`${id}-hint`} className={error === undefined ? 'ui-hint' : 'ui-field-error'}>
        {error ?? hint}
      </span>
    </div>
  )
}

/** One of a few, all in sight, each with a word on what follows from it. */
export function RadioField({
  label,
  name,
  hint,
  error,
  options,
  value,
  onChange,
}: Common & {
  options: readonly { readonly id: string; readonly label: ReactNode; readonly hint?: ReactNode }[]
  value: string
  onChange: (value: string) => void
}): ReactNode {
  return (
    <RadioGroup
      className="ui-field"
      name={name}
      value={value}
      onChange={onChange}
      isInvalid={error !== undefined}
      validationBehavior="aria"
    >
      <Label>{label}</Label>
      <div className="ui-radios">
        {options.map((option) => (
          <Radio key={option.id} value={option.id} className="ui-radio">
            <span className="ui-radio-dot" />
            <span>
              {option.label}
              {option.hint !== undefined && <span className="ui-hint">{option.hint}</span>}
            </span>
          </Radio>
        ))}
      </div>
      {hint !== undefined && (
        <Text slot="description" className="ui-hint">
          {hint}
        </Text>
      )}
      <FieldError className="ui-field-error">{error}</FieldError>
    </RadioGroup>
  )
}

/** Yes or no. */
export function CheckField({
  label,
  isSelected,
  onChange,
  isDisabled = false,
}: {
  label: ReactNode
  isSelected: boolean
  onChange: (isSelected: boolean) => void
  isDisabled?: boolean
}): ReactNode {
  return (
    <Checkbox className="ui-check" isSelected={isSelected} onChange={onChange} isDisabled={isDisabled}>
      <span className="ui-check-box">
        <Icon name="check" size={12} />
      </span>
      <span>{label}</span>
    </Checkbox>
  )
}
