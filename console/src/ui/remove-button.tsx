/** @file Removing a row: gone from the screen at once, from the box a few seconds later, and a toast when the box refuses. */
import { IconButton } from "./basics.tsx";
import { useErrorWords } from "./error-card.tsx";
import { RemoveIcon } from "./icons.ts";
import { showToast } from "./toasts.tsx";
import { removeWithUndo } from "./undo.ts";

export type Removal = {
  readonly id: string;
  /** Said once it is gone. */
  readonly removed: string;
  readonly action: { mutateAsync(input: undefined): Promise<unknown> };
};

/** For menus; a row of its own has the button below. */
export function useRemoval(): (removal: Removal) => void {
  const words = useErrorWords();
  return ({ id, removed, action }) =>
    removeWithUndo(
      id,
      removed,
      async () => void (await action.mutateAsync(undefined)),
      (error) => showToast(words(error).message, undefined, 9000),
    );
}

export function RemoveButton({ label, ...removal }: Removal & { readonly label: string }) {
  const remove = useRemoval();
  return <IconButton label={label} icon={RemoveIcon} onClick={() => remove(removal)} />;
}
