<?php
/**
 * The error of a refused update.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

/** Carries a translated sentence for the site's administrator: the cause and the remedy. */
final class UpdateError extends \RuntimeException {}
