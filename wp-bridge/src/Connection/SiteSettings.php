<?php
/**
 * Settings of the account.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Reads and changes the merchant's settings, which the service stores. The last answer is kept in an option, so the settings screen loads
 * without a call. A change carries the etag of the shown settings. The service refuses it when the settings have changed since.
 */
final class SiteSettings {

	private const OPTION  = 'tillsync_bridge_settings';
	private const TIMEOUT = 15;

	public const MATCH_EMAILS   = array( 'MATCH_EMAIL_ACCOUNT', 'MATCH_EMAIL_BILLING' );
	public const GUEST_POLICIES = array( 'GUEST_POLICY_DEFAULT_CUSTOMER', 'GUEST_POLICY_MATCH_ONLY', 'GUEST_POLICY_MATCH_OR_CREATE' );

	/** The last value is the behaviour of a service that does not have this setting. */
	public const TRUSTED_ACCOUNTS = array( 'TRUSTED_ACCOUNTS_CONFIRMED_ONLY', 'TRUSTED_ACCOUNTS_REGISTERED_BEFORE', 'TRUSTED_ACCOUNTS_ALL' );

	/** Set after the merchant has saved the choice of trusted accounts. */
	private const TRUST_DECIDED = 'tillsync_bridge_trust_asked';

	private const FIELDS = array( 'customerSyncEnabled', 'defaultEposCustomerId', 'matchEmail', 'guestPolicy', 'autoLink', 'syncNames', 'syncPhone', 'trustedAccounts' );

	public function __construct(
		private readonly CopyGuard $copy_guard,
		private readonly ServiceClient $service_client,
		private readonly Log $log
	) {}

	/**
	 * Returns the settings of the service's last answer, or null before the first one.
	 *
	 * @return array{customerSyncEnabled: bool, defaultEposCustomerId: string, matchEmail: string, guestPolicy: string, autoLink: bool, syncNames: bool, syncPhone: bool, trustedAccounts: string, trustedBeforeTime: string}|null
	 */
	public function stored(): ?array {
		$stored = get_option( self::OPTION );
		return is_array( $stored ) && is_array( $stored['settings'] ?? null ) ? self::complete( $stored['settings'] ) : null;
	}

	/**
	 * Refreshes the settings in cron, so that changes at the service and new fields after its update arrive here. A failed call is repeated
	 * by the next cron run.
	 */
	public function refresh_in_background(): void {
		if ( null === $this->copy_guard->usable() ) {
			return;
		}
		try {
			$this->refresh();
		} catch ( ServiceError $error ) {
			$this->log->info( 'the settings could not be fetched: ' . $error->connect_code );
		}
	}

	/** Tells whether the merchant has chosen which accounts are trusted. */
	public function is_trust_decided(): bool {
		return 'yes' === get_option( self::TRUST_DECIDED );
	}

	public function store_trust_decision(): void {
		update_option( self::TRUST_DECIDED, 'yes', false );
	}

	/** Tells whether the service has this setting. */
	public function has_trust_setting(): bool {
		$stored = get_option( self::OPTION );
		return is_array( $stored ) && isset( $stored['settings']['trustedAccounts'] );
	}

	/** @param array<string, mixed> $answer The service's answer with `settings` and `etag`. */
	public function store( array $answer ): void {
		if ( is_array( $answer['settings'] ?? null ) ) {
			update_option( self::OPTION, array( 'settings' => $answer['settings'], 'etag' => (string) ( $answer['etag'] ?? '' ) ), false );
		}
	}

	public function forget(): void {
		delete_option( self::OPTION );
	}

	/**
	 * Reads the settings from the service. An UpdateSiteSettings call with validate_only and no changes only reads.
	 *
	 * @throws ServiceError
	 */
	public function refresh(): void {
		$this->store( $this->update( array(), true, false ) );
	}

	/**
	 * Returns the effect that a change would have: the service's {queuedCustomerCount, queuedCustomerTypeCount, requeuedEntryCount, notes}.
	 *
	 * @param array<string, mixed> $changes Fields of stored() with new values.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError
	 */
	public function preview( array $changes ): array {
		return self::effect( $this->update( $changes, true, false ) );
	}

	/**
	 * Changes the given settings.
	 *
	 * @param array<string, mixed> $changes Fields of stored() with new values.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError Code "aborted": the settings have changed since; call refresh() and show them again.
	 */
	public function change( array $changes ): array {
		$answer = $this->update( $changes, false, true );
		$this->store( $answer );
		return self::effect( $answer );
	}

	/**
	 * Returns the fields whose value differs from the stored settings.
	 *
	 * @param array<string, mixed> $values Fields of stored().
	 * @return array<string, mixed>
	 */
	public function changed_fields( array $values ): array {
		$current = $this->stored() ?? self::complete( array() );
		return array_filter(
			array_intersect_key( $values, array_flip( self::FIELDS ) ),
			static fn( $value, $name ) => ( $current[ $name ] ?? null ) !== $value,
			ARRAY_FILTER_USE_BOTH
		);
	}

	/**
	 * @param array<string, mixed> $changes Fields with new values.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function update( array $changes, bool $validate_only, bool $with_etag ): array {
		$connection = $this->service_client->connection();
		$changes    = array_intersect_key( $changes, array_flip( self::FIELDS ) );
		$message    = array( 'accountId' => $connection->account_id );
		if ( array() !== $changes ) {
			$message['settings'] = $changes;
			// In JSON a field mask is one text of lowerCamelCase paths.
			$message['updateMask'] = implode( ',', array_keys( $changes ) );
		}
		if ( $validate_only ) {
			$message['validateOnly'] = true;
		}
		$stored = get_option( self::OPTION );
		if ( $with_etag && is_array( $stored ) && '' !== ( $stored['etag'] ?? '' ) ) {
			$message['etag'] = $stored['etag'];
		}
		return $this->service_client->call( 'AccountService', 'UpdateSiteSettings', $message, self::TIMEOUT );
	}

	/**
	 * Fills in defaults, because proto3 JSON omits fields with their zero value.
	 *
	 * @param array<string, mixed> $settings The service's settings message.
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
	 * @param array<string, mixed> $answer The service's answer with `effect`.
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
