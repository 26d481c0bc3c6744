<?php
/**
 * When a mail goes out.
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
 * Each alert is told once, in the next mail; there is at most one mail an hour, which tells of everything that is new. An alert that is
 * gone before is not told at all.
 */
class Digest {

	public const EMAIL_ID = 'tillsync_attention';

	private const OPTION = 'tillsync_bridge_mail';

	private const BETWEEN_SECONDS = 3600;

	/** What comes together is told together; what closes itself at once is not told. */
	private const SETTLE_SECONDS = 60;

	/** After a mail that could not be handed over. */
	private const RETRY_SECONDS = 600;

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Alerts $alerts,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** For cron. True: a mail went out. */
	public function send_due(): bool {
		// A copy of a shop tells nobody anything.
		if ( null === $this->copy_guard->usable() || ! function_exists( 'WC' ) ) {
			return false;
		}
		$now    = $this->clock->now();
		$alerts = array_values( array_filter( $this->alerts->all(), static fn( Alert $alert ) => 0 === $alert->mailed_at && $alert->since <= $now - self::SETTLE_SECONDS ) );
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

	/** Of several processes one gets the hour: the statement decides. */
	private function claim( int $now ): bool {
		add_option( self::OPTION, '0', '', false );
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- a compare-and-set, which update_option is not.
		$changed = $this->wpdb->query( $this->wpdb->prepare( "UPDATE {$this->wpdb->options} SET option_value = %s WHERE option_name = %s AND CAST(option_value AS SIGNED) <= %d", (string) ( $now + self::BETWEEN_SECONDS ), self::OPTION, $now ) );
		wp_cache_delete( self::OPTION, 'options' );
		return 1 === $changed;
	}
}
