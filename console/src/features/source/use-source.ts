/** @file Opening and closing the source pane: the place is in the address, so it can be sent to a colleague and Back closes it. */
import { useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";

export type Place = { readonly documentId: string; readonly versionId?: string; readonly start: number; readonly end: number };

export function useOpenSource(): (place: Place) => void {
  const navigate = useNavigate();
  return useCallback(
    ({ documentId, versionId, start, end }) => {
      void navigate({
        to: ".",
        search: { source: documentId, ...(versionId === undefined ? {} : { version: versionId }), start, end },
        resetScroll: false,
      });
    },
    [navigate],
  );
}

export function useCloseSource(): () => void {
  const navigate = useNavigate();
  return useCallback(() => void navigate({ to: ".", search: {}, resetScroll: false }), [navigate]);
}
