<?php
/**
 * The schedule of the attention mail.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Log;

/**
 * Sends each alert once, in the next mail. At most one mail an hour is sent, with all new alerts. An alert that closes before its mail is
 * not sent.
 */
class Digest {

	public const EMAIL_ID = 'tillsync_attention';

	private const OPTION = 'tillsync_bridge_mail';

	private const BETWEEN_SECONDS = 3600;

	/** Age of an alert before its mail. Alerts of the same minute share a mail, and alerts that close at once are not sent. */
	private const MIN_AGE_SECONDS = 60;

	/** Delay after a mail that could not be sent. */
	private const RETRY_SECONDS = 600;

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Alerts $alerts,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** Sends the due mail, in cron. Returns true when a mail was sent. */
	public function send_due(): bool {
		// A copy of a shop sends no mail.
		if ( null === $this->copy_guard->usable() || ! function_exists( 'WC' ) ) {
			return false;
		}
		$now    = $this->clock->now();
		$alerts = array_values( array_filter( $this->alerts->all(), static fn( Alert $alert ) => 0 === $alert->mailed_at && $alert->since <= $now - self::MIN_AGE_SECONDS ) );
		if ( array() === $alerts || (int) get_option( self::OPTION, 0 ) > $now ) {
			return false;
		}
		$email = WC()->mailer()->get_emails()[ AttentionEmail::CLASS_KEY ] ?? null;
		if ( ! $email instanceof AttentionEmail || ! $email->is_enabled() || '' === $email->get_recipient() || ! $this->claim( $now ) ) {
			return false;
		}
		if ( ! $email->trigger( $alerts ) ) {
			update_option( self::OPTION, (string) ( $now + self::RETRY_SECONDS ), false );
			$this->log->warning( 'the mail about what waits could not be sent' );
			return false;
		}
		$this->alerts->mark_mailed( $alerts );
		return true;
	}

	/** Claims the hour's mail. The statement grants it to one of several processes. */
	private function claim( int $now ): bool {
		add_option( self::OPTION, '0', '', false );
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- a compare-and-set, which update_option is not.
		$changed = $this->wpdb->query( $this->wpdb->prepare( "UPDATE {$this->wpdb->options} SET option_value = %s WHERE option_name = %s AND CAST(option_value AS SIGNED) <= %d", (string) ( $now + self::BETWEEN_SECONDS ), self::OPTION, $now ) );
		wp_cache_delete( self::OPTION, 'options' );
		return 1 === $changed;
	}
}
