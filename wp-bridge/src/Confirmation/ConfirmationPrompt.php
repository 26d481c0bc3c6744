<?php
/**
 * The prompt shown instead of points.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteSettings;
use WP_User;

/**
 * Shows "Confirm your email to see your points". It is the same for every shopper without points, so it does not reveal whether the till
 * has the email.
 */
class ConfirmationPrompt {

	public const ASK  = 'ask';
	public const SOON = 'soon';
	public const NONE = '';

	private const TEMPLATE = 'tillsync-confirm-email.php';

	/** Seconds after a confirmation in which the page checks again for points. */
	private const SOON_SECONDS = 300;

	public function __construct(
		private readonly Confirmations $confirmations,
		private readonly ConfirmationTable $confirmation_table,
		private readonly SiteSettings $settings,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock
	) {}

	/** Returns the prompt for a shopper without stored values: ASK, SOON (confirmed a moment ago) or NONE. */
	public function kind( int $user_id ): string {
		$user = get_userdata( $user_id );
		if ( ! $user instanceof WP_User || null === $this->copy_guard->usable() ) {
			return self::NONE;
		}
		$state = $this->confirmations->state( $user );
		if ( Confirmations::CONFIRMED === $state ) {
			$row = $this->confirmation_table->find( $user_id );
			return null !== $row && $row['confirmed_at'] > $this->clock->now() - self::SOON_SECONDS ? self::SOON : self::NONE;
		}
		return $this->is_trusted( $user, $state ) ? self::NONE : self::ASK;
	}

	public function html( string $kind ): string {
		return wc_get_template_html( self::TEMPLATE, array( 'kind' => $kind ), 'tillsync-bridge/', dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/templates/' );
	}

	/** Tells whether the service links this account without a confirmation, according to the stored settings. */
	private function is_trusted( WP_User $user, string $state ): bool {
		$settings = $this->settings->stored();
		if ( null === $settings || true !== $settings['customerSyncEnabled'] || 'TRUSTED_ACCOUNTS_ALL' === $settings['trustedAccounts'] ) {
			return true;
		}
		$before = strtotime( $settings['trustedBeforeTime'] );
		return 'TRUSTED_ACCOUNTS_REGISTERED_BEFORE' === $settings['trustedAccounts'] && Confirmations::UNCONFIRMED === $state
			&& false !== $before && (int) strtotime( $user->user_registered . ' UTC' ) < $before;
	}
}
