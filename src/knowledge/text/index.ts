/** @file The door of `text`: one spelling, and words for the index. */
export { type NormalisedText, normalise, normaliseWithOffsets } from "./normalise.ts";
export { type SegmentOptions, segment, tagWords } from "./segment.ts";
