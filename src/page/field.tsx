/** Labelled inputs; a refusal is read out with the field it belongs to. */

import type { JSX, TargetedInputEvent } from "preact";
import { useId } from "preact/hooks";

interface FieldInputProps {
  readonly id?: string;
  readonly class?: string;
  readonly label: string;
  /** A key that goes to this field. */
  readonly hint?: string;
  readonly type?: "text" | "datetime-local";
  readonly placeholder?: string;
  readonly value: string;
  readonly refusal?: string | undefined;
  readonly onType: (value: string) => void;
}

/** As much as the address takes (hash-route.ts). */
const TYPED_MAX = 2000;

export function FieldInput(props: FieldInputProps): JSX.Element {
  const own = useId();
  const id = props.id ?? own;
  const isRefused = props.refusal !== undefined;
  const attributes = {
    id,
    value: props.value,
    placeholder: props.placeholder,
    spellcheck: false,
    autocomplete: "off",
    autocapitalize: "off",
    maxLength: TYPED_MAX,
    "aria-invalid": isRefused,
    "aria-describedby": isRefused ? `${id}-refusal` : undefined,
    onInput: (event: TargetedInputEvent<HTMLInputElement>) => props.onType(event.currentTarget.value),
  } as const;
  return (
    <div class={`field ${props.class ?? ""}`}>
      <label for={id}>
        {props.label}
        {props.hint !== undefined && <kbd title={`The ${props.hint} key goes here`}>{props.hint}</kbd>}
      </label>
      {props.type === "datetime-local" ? (
        <input {...attributes} type="datetime-local" />
      ) : (
        <input {...attributes} type="text" />
      )}
      {isRefused && (
        <p class="refusal" id={`${id}-refusal`} role="alert">
          {props.refusal}
        </p>
      )}
    </div>
  );
}

interface FieldSelectProps {
  readonly class?: string;
  readonly label: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly isDisabled?: boolean;
  readonly onChoose: (value: string) => void;
}

export function FieldSelect({
  label,
  value,
  options,
  isDisabled,
  onChoose,
  ...rest
}: FieldSelectProps): JSX.Element {
  const id = useId();
  return (
    <div class={`field ${rest.class ?? ""}`}>
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        disabled={isDisabled ?? false}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value} selected={option.value === value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}
