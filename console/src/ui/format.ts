/** @file Numbers, sizes, times and dates in the language on screen, by Intl. */
import { useTranslation } from "react-i18next";

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

export function useFormat() {
  const { i18n, t } = useTranslation();
  const locale = i18n.language;
  const number = (value: number, options?: Intl.NumberFormatOptions): string => new Intl.NumberFormat(locale, options).format(value);

  function bytes(value: number): string {
    let step = 0;
    let rest = value;
    while (rest >= 1000 && step < units.length - 1) {
      rest /= 1024;
      step++;
    }
    const unit = units[step] ?? "byte";
    return new Intl.NumberFormat(locale, {
      style: "unit",
      unit,
      unitDisplay: step === 0 ? "long" : "short",
      maximumFractionDigits: rest < 10 && step > 0 ? 1 : 0,
    }).format(rest);
  }

  /** Honest about what it is: rounded up, "about". */
  function duration(seconds: number): string {
    const one = (value: number, unit: string): string =>
      new Intl.NumberFormat(locale, {
        style: "unit",
        unit,
        unitDisplay: locale.startsWith("zh") ? "short" : "long",
        maximumFractionDigits: 0,
      }).format(value);
    if (seconds < 60) return one(Math.max(1, Math.ceil(seconds)), "second");
    if (seconds < 5400) return one(Math.ceil(seconds / 60), "minute");
    return one(Math.ceil(seconds / 3600), "hour");
  }

  function eta(seconds: number | null | undefined): string {
    return seconds === null || seconds === undefined ? t("time.etaUnknown") : t("time.eta", { time: duration(seconds) });
  }

  function ago(iso: string, nowMs = Date.now()): string {
    const seconds = (Date.parse(iso) - nowMs) / 1000;
    if (Number.isNaN(seconds)) return iso;
    if (seconds > -45) return t("time.now");
    const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
    if (seconds > -3600) return relative.format(Math.round(seconds / 60), "minute");
    if (seconds > -86_400) return relative.format(Math.round(seconds / 3600), "hour");
    if (seconds > -7 * 86_400) return relative.format(Math.round(seconds / 86_400), "day");
    return date(iso);
  }

  function date(iso: string): string {
    const time = Date.parse(iso);
    return Number.isNaN(time) ? iso : new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(time);
  }

  function ms(value: number): string {
    return `${number(value, { maximumFractionDigits: value < 10 ? 1 : 0 })} ms`;
  }

  return { number, bytes, duration, eta, ago, date, ms, locale };
}
