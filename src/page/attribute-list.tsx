/** Keys and values; each can be searched for with a click. */

import type { JSX } from "preact";
import { EMPTY_QUERY, formatHash } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import type { Attribute } from "./jaeger-model.ts";
import { formatTag } from "./tag-query.ts";
import { Text } from "./text.tsx";
import { visibleText } from "./visible-text.ts";

interface AttributeListProps {
  readonly attributes: readonly Attribute[];
  readonly isSearchable: boolean;
}

/** A span of ours has some 25; more than this come from elsewhere and would fill the page. */
const ATTRIBUTES_MAX = 200;

export function AttributeList({ attributes, isSearchable }: AttributeListProps): JSX.Element {
  return (
    <>
      <dl class="attributes">
        {attributes.slice(0, ATTRIBUTES_MAX).map((attribute, index) => (
          <div key={index} class="attribute">
            <dt>
              <Text value={attribute.key} />
            </dt>
            <dd>
              <Text value={String(attribute.value)} />
              {isSearchable && <SearchLink attribute={attribute} />}
            </dd>
          </div>
        ))}
      </dl>
      {attributes.length > ATTRIBUTES_MAX && (
        <p class="muted">and {attributes.length - ATTRIBUTES_MAX} more</p>
      )}
    </>
  );
}

function SearchLink({ attribute: { key, value } }: { readonly attribute: Attribute }): JSX.Element | null {
  if (/[\s="]/.test(key) || key === "") return null; // Can't be typed as a tag.
  const tags = formatTag(key, String(value));
  return (
    <a
      class="attribute-search"
      href={formatHash({ view: "search", query: { ...EMPTY_QUERY, tags } })}
      aria-label={`Find traces with ${visibleText(tags).slice(0, 100)}`}
      title="Find traces with this"
    >
      <Icon name="search" />
    </a>
  );
}
