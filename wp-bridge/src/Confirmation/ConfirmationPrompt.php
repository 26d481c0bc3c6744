<?php
/**
 * What stands in the place of points that are not shown.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteSettings;
use WP_User;

/** "Confirm your email to see your points". The same for every shopper without points: it does not tell whether the till knows the email. */
class ConfirmationPrompt {

	public const ASK  = 'ask';
	public const SOON = 'soon';
	public const NONE = '';

	private const TEMPLATE = 'tillsync-confirm-email.php';

	/** After a confirmation, points are looked for again. */
	private const SOON_SECONDS = 300;

	public function __construct(
		private readonly Confirmations $confirmations,
		private readonly ConfirmationTable $confirmation_table,
		private readonly SiteSettings $settings,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock
	) {}

	/** For a shopper of whom nothing is stored: ASK, SOON (confirmed a moment ago) or NONE. */
	public function kind( int $user_id ): string {
		$user = get_userdata( $user_id );
		if ( ! $user instanceof WP_User || null === $this->copy_guard->usable() ) {
			return self::NONE;
		}
		$state = $this->confirmations->state( $user );
		if ( Confirmations::CONFIRMED === $state ) {
			$kept = $this->confirmation_table->find( $user_id );
			return null !== $kept && $kept['confirmed_at'] > $this->clock->now() - self::SOON_SECONDS ? self::SOON : self::NONE;
		}
		return $this->is_trusted( $user, $state ) ? self::NONE : self::ASK;
	}

	public function html( string $kind ): string {
		return wc_get_template_html( self::TEMPLATE, array( 'kind' => $kind ), 'tillsync-bridge/', dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/templates/' );
	}

	/** Whether the service links this account without a confirmation, by the settings as they are known here. */
	private function is_trusted( WP_User $user, string $state ): bool {
		$settings = $this->settings->known();
		if ( null === $settings || true !== $settings['customerSyncEnabled'] || 'TRUSTED_ACCOUNTS_ALL' === $settings['trustedAccounts'] ) {
			return true;
		}
		$before = strtotime( $settings['trustedBeforeTime'] );
		return 'TRUSTED_ACCOUNTS_REGISTERED_BEFORE' === $settings['trustedAccounts'] && Confirmations::UNCONFIRMED === $state
			&& false !== $before && (int) strtotime( $user->user_registered . ' UTC' ) < $before;
	}
}
