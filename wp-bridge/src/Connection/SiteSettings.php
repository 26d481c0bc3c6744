<?php
/**
 * The settings a merchant may change.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * They live at the service. What it said last is kept here, so that the settings screen loads without asking; a change carries the
 * etag of what was shown, and is refused when somebody else has changed something meanwhile.
 */
final class SiteSettings {

	private const OPTION  = 'tillsync_bridge_settings';
	private const TIMEOUT = 15;

	public const MATCH_EMAILS   = array( 'MATCH_EMAIL_ACCOUNT', 'MATCH_EMAIL_BILLING' );
	public const GUEST_POLICIES = array( 'GUEST_POLICY_DEFAULT_CUSTOMER', 'GUEST_POLICY_MATCH_ONLY', 'GUEST_POLICY_MATCH_OR_CREATE' );

	/** The last one is what a service does that does not know the setting. */
	public const TRUSTED_ACCOUNTS = array( 'TRUSTED_ACCOUNTS_CONFIRMED_ONLY', 'TRUSTED_ACCOUNTS_REGISTERED_BEFORE', 'TRUSTED_ACCOUNTS_ALL' );

	/** Set once the merchant has been asked which accounts are trusted, and has saved. */
	private const ASKED = 'tillsync_bridge_trust_asked';

	private const FIELDS = array( 'customerSyncEnabled', 'defaultEposCustomerId', 'matchEmail', 'guestPolicy', 'autoLink', 'syncNames', 'syncPhone', 'trustedAccounts' );

	public function __construct(
		private readonly CopyGuard $copy_guard,
		private readonly ServiceClient $service_client,
		private readonly Log $log
	) {}

	/**
	 * As the service said last; null: not known.
	 *
	 * @return array{customerSyncEnabled: bool, defaultEposCustomerId: string, matchEmail: string, guestPolicy: string, autoLink: bool, syncNames: bool, syncPhone: bool, trustedAccounts: string, trustedBeforeTime: string}|null
	 */
	public function known(): ?array {
		$kept = get_option( self::OPTION );
		return is_array( $kept ) && is_array( $kept['settings'] ?? null ) ? self::complete( $kept['settings'] ) : null;
	}

	/** For cron: what was changed at the service, or is new there since an update, is known here too. A service that is away is asked later. */
	public function look_again(): void {
		if ( null === $this->copy_guard->usable() ) {
			return;
		}
		try {
			$this->refresh();
		} catch ( ServiceError $error ) {
			$this->log->info( 'the settings could not be fetched: ' . $error->connect_code );
		}
	}

	/** Whether the merchant has said which accounts are trusted. */
	public function is_trust_decided(): bool {
		return 'yes' === get_option( self::ASKED );
	}

	public function trust_is_decided(): void {
		update_option( self::ASKED, 'yes', false );
	}

	/** Whether the service knows the setting at all. */
	public function knows_trust(): bool {
		$kept = get_option( self::OPTION );
		return is_array( $kept ) && isset( $kept['settings']['trustedAccounts'] );
	}

	/** @param array<string, mixed> $answer An answer with `settings` and `etag`. */
	public function remember( array $answer ): void {
		if ( is_array( $answer['settings'] ?? null ) ) {
			update_option( self::OPTION, array( 'settings' => $answer['settings'], 'etag' => (string) ( $answer['etag'] ?? '' ) ), false );
		}
	}

	public function forget(): void {
		delete_option( self::OPTION );
	}

	/**
	 * Asks the service how the settings are now: validate_only with nothing to change only reads.
	 *
	 * @throws ServiceError
	 */
	public function refresh(): void {
		$this->remember( $this->update( array(), true, false ) );
	}

	/**
	 * What a change would do: the service's effect {queuedCustomerCount, queuedCustomerTypeCount, requeuedEntryCount, notes}.
	 *
	 * @param array<string, mixed> $changes Fields of known() with new values.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError
	 */
	public function preview( array $changes ): array {
		return self::effect( $this->update( $changes, true, false ) );
	}

	/**
	 * Changes what differs.
	 *
	 * @param array<string, mixed> $changes Fields of known() with new values.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError Code "aborted": somebody else has changed the settings; call refresh() and show them again.
	 */
	public function change( array $changes ): array {
		$answer = $this->update( $changes, false, true );
		$this->remember( $answer );
		return self::effect( $answer );
	}

	/**
	 * Only the fields whose value differs from what is known.
	 *
	 * @param array<string, mixed> $wanted Fields of known().
	 * @return array<string, mixed>
	 */
	public function differing( array $wanted ): array {
		$known = $this->known() ?? self::complete( array() );
		return array_filter(
			array_intersect_key( $wanted, array_flip( self::FIELDS ) ),
			static fn( $value, $name ) => ( $known[ $name ] ?? null ) !== $value,
			ARRAY_FILTER_USE_BOTH
		);
	}

	/**
	 * @param array<string, mixed> $changes Fields.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function update( array $changes, bool $validate_only, bool $with_etag ): array {
		$connection = $this->service_client->connection();
		$changes    = array_intersect_key( $changes, array_flip( self::FIELDS ) );
		$message    = array( 'accountId' => $connection->account_id );
		if ( array() !== $changes ) {
			$message['settings'] = $changes;
			// A field mask in JSON is one text of lowerCamelCase paths.
			$message['updateMask'] = implode( ',', array_keys( $changes ) );
		}
		if ( $validate_only ) {
			$message['validateOnly'] = true;
		}
		$kept = get_option( self::OPTION );
		if ( $with_etag && is_array( $kept ) && '' !== ( $kept['etag'] ?? '' ) ) {
			$message['etag'] = $kept['etag'];
		}
		return $this->service_client->call( 'AccountService', 'UpdateSiteSettings', $message, self::TIMEOUT );
	}

	/**
	 * Proto3 JSON leaves out what has its zero value.
	 *
	 * @param array<string, mixed> $settings As the service wrote them.
	 * @return array{customerSyncEnabled: bool, defaultEposCustomerId: string, matchEmail: string, guestPolicy: string, autoLink: bool, syncNames: bool, syncPhone: bool, trustedAccounts: string, trustedBeforeTime: string}
	 */
	private static function complete( array $settings ): array {
		$match_email = $settings['matchEmail'] ?? '';
		$policy      = $settings['guestPolicy'] ?? '';
		return array(
			'customerSyncEnabled'   => true === ( $settings['customerSyncEnabled'] ?? false ),
			'defaultEposCustomerId' => (string) ( $settings['defaultEposCustomerId'] ?? '0' ),
			'matchEmail'            => in_array( $match_email, self::MATCH_EMAILS, true ) ? $match_email : self::MATCH_EMAILS[0],
			'guestPolicy'           => in_array( $policy, self::GUEST_POLICIES, true ) ? $policy : self::GUEST_POLICIES[0],
			'autoLink'              => true === ( $settings['autoLink'] ?? false ),
			'syncNames'             => true === ( $settings['syncNames'] ?? false ),
			'syncPhone'             => true === ( $settings['syncPhone'] ?? false ),
			'trustedAccounts'       => in_array( $settings['trustedAccounts'] ?? '', self::TRUSTED_ACCOUNTS, true ) ? $settings['trustedAccounts'] : 'TRUSTED_ACCOUNTS_ALL',
			'trustedBeforeTime'     => (string) ( $settings['trustedBeforeTime'] ?? '' ),
		);
	}

	/**
	 * @param array<string, mixed> $answer With `effect`.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 */
	private static function effect( array $answer ): array {
		$effect = is_array( $answer['effect'] ?? null ) ? $answer['effect'] : array();
		return array(
			'customers' => (int) ( $effect['queuedCustomerCount'] ?? 0 ),
			'types'     => (int) ( $effect['queuedCustomerTypeCount'] ?? 0 ),
			'entries'   => (int) ( $effect['requeuedEntryCount'] ?? 0 ),
			'notes'     => array_values( array_filter( (array) ( $effect['notes'] ?? array() ), 'is_string' ) ),
		);
	}
}
