/** @file The icons in use, by one import. Names say what they mean here, not what they look like. */
export {
  Activity as HealthIcon, ArrowDown as DownIcon, ArrowUp as SendIcon, BookOpen as KnowledgeIcon, BookText as BaseIcon, Check as CheckIcon, ChevronRight as NextIcon, CircleAlert as AlertIcon, CircleCheck as OkIcon, CircleDashed as WaitingIcon, CircleHelp as GapIcon,
  CircleStop as CancelIcon, Copy as CopyIcon, Cpu as ModelIcon, Download as DownloadIcon, Ellipsis as MoreIcon, ExternalLink as OriginalIcon, FileText as DocumentIcon,
  FileX as FailedIcon, FolderOpen as FolderIcon, HardDrive as BoxIcon, History as EditionIcon, Info as InfoIcon, KeyRound as KeyIcon, Languages as LanguageIcon,
  LoaderCircle as BusyIcon, LogOut as SignOutIcon, Menu as MenuIcon, MessageSquare as ChatIcon, MessageSquareQuote as RefusalIcon, Moon as MoonIcon, Pencil as EditIcon,
  Plus as PlusIcon, RotateCcw as RetryIcon, ScanText as OcrIcon, Scissors as SplitIcon, Search as SearchIcon, Square as StopIcon, Sun as SunIcon, Tag as TagIcon,
  TextCursorInput as WordsIcon, ThumbsDown as DownVoteIcon, ThumbsUp as UpVoteIcon, Trash2 as RemoveIcon, TriangleAlert as WarnIcon, Undo2 as UndoIcon,
  Upload as UploadIcon, X as CloseIcon, Combine as MergeIcon, SunMoon as AutoThemeIcon,
} from "lucide-react";
